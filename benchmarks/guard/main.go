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
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kingpin/v2"
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
	var baseline string
	var update, done bool
	app := kingpin.New("guard", "Compares allocations and bytes of the Go benchmarks with a baseline.")
	app.UsageWriter(stdout).ErrorWriter(stderr).Terminate(func(int) { done = true })
	app.HelpFlag.Short('h')
	app.Flag("baseline", "File with the counts to compare with.").Default("benchmarks/guard/baseline.txt").StringVar(&baseline)
	app.Flag("update", "Write the file instead.").BoolVar(&update)
	if _, err := app.Parse(args); err != nil {
		_, _ = fmt.Fprintln(stderr, "guard:", err)
		return 2
	}
	if done {
		return 0
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := guard(ctx, baseline, update, stdout, stderr); err != nil {
		_, _ = fmt.Fprintln(stderr, "guard:", err)
		return 1
	}
	return 0
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
