// Command guard runs Go benchmarks and compares what they allocate and what an
// object takes with a baseline. It does not look at times, which a shared
// machine makes up. A count that has grown by more than a tenth is an error.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/statefleet/statefleet/benchmarks/command"
)

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }

// suite is a set of benchmarks that run as often as one another.
type suite struct {
	packages []string
	pattern  string
	times    string // of -benchtime
}

// suites are the benchmarks that are guarded. The counts of iterations are
// fixed, as are the seeds, so that counts of one machine hold on another.
func suites() []suite {
	const module = "github.com/statefleet/statefleet/"
	return []suite{
		{[]string{module + "internal/wire", module + "resources", module + "resources/customresource"}, ".", "200x"},
		{[]string{module + "shard"}, "Hash|Contains", "1000x"},
		{[]string{module + "store"}, "Put", "20000x"},
		{[]string{module + "store"}, "Gzip", "30x"},
		{[]string{module + "benchmarks/guard"}, ".", "5x"},
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	app := kingpin.New("guard", "Compares allocations and bytes of the Go benchmarks with a baseline.")
	baseline := app.Flag("baseline", "File with the counts to compare with.").Default("benchmarks/guard/baseline.txt").String()
	update := app.Flag("update", "Write the file instead.").Bool()
	return command.Program{App: app, Work: func(ctx context.Context) error {
		return guard(ctx, *baseline, *update, stdout, stderr)
	}}.Run(ctx, args, stdout, stderr)
}

func guard(ctx context.Context, baseline string, update bool, stdout, stderr io.Writer) error {
	now := counts{}
	for _, s := range suites() {
		output, err := s.run(ctx, stderr)
		if err != nil {
			return err
		}
		if err := now.read(strings.NewReader(output)); err != nil {
			return err
		}
	}
	if update {
		return os.WriteFile(baseline, []byte(now.String()), 0o644)
	}
	file, err := os.Open(baseline)
	if err != nil {
		return fmt.Errorf("--baseline: %w", err)
	}
	defer func() { _ = file.Close() }()
	before, err := parseCounts(file)
	if err != nil {
		return fmt.Errorf("--baseline: %w", err)
	}
	regressions, remarks := before.compare(now)
	for _, line := range remarks {
		_, _ = fmt.Fprintln(stdout, line)
	}
	if len(regressions) > 0 {
		return fmt.Errorf("%d of %d counts have grown by more than a tenth:\n%s\nmake bench-baseline accepts them",
			len(regressions), len(before), strings.Join(regressions, "\n"))
	}
	_, _ = fmt.Fprintf(stdout, "%d counts, none has grown by more than a tenth\n", len(before))
	return nil
}

// run returns what go test prints. With one processor, counts do not depend on
// who comes first.
func (s suite) run(ctx context.Context, stderr io.Writer) (string, error) {
	args := []string{"test", "-run=^$", "-bench=" + s.pattern, "-benchmem", "-benchtime=" + s.times, "-cpu=1"}
	cmd := exec.CommandContext(ctx, "go", append(args, s.packages...)...)
	cmd.Stderr = stderr
	output, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w\n%s", strings.Join(cmd.Args[1:], " "), err, output)
	}
	return string(output), nil
}
