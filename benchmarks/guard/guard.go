// Package guard runs Go benchmarks and compares their allocations and their bytes per object with a baseline.
// A count that has grown by more than a tenth is an error. It does not compare times, because they vary on a
// shared machine.
package guard

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/statefleet/statefleet/benchmarks/command"
)

// Commands registers the subcommand guard.
func Commands(app *kingpin.Application) []command.Command {
	c := app.Command("guard", "Compare allocations and bytes per object of the Go benchmarks with a baseline.")
	baseline := c.Flag("baseline", "File with the baseline.").Default("benchmarks/guard/baseline.json").String()
	update := c.Flag("update", "Write the baseline instead of comparing with it.").Bool()
	return []command.Command{{Clause: c, Run: func(ctx context.Context, out, progress io.Writer) error {
		return guard(ctx, *baseline, *update, out, progress)
	}}}
}

// suite is a set of benchmarks with the same number of iterations.
type suite struct {
	packages []string
	pattern  string
	times    string // of -benchtime
}

// suites returns the guarded benchmarks. Iterations and seeds are fixed, so that counts do not depend on the
// machine.
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
		text, err := json.MarshalIndent(now, "", "  ")
		if err != nil {
			return err
		}
		return os.WriteFile(baseline, append(text, '\n'), 0o644)
	}
	text, err := os.ReadFile(baseline)
	if err != nil {
		return fmt.Errorf("--baseline: %w", err)
	}
	var before counts
	if err := json.Unmarshal(text, &before); err != nil {
		return fmt.Errorf("--baseline: %w", err)
	}
	regressions, remarks := before.compare(now)
	for _, line := range remarks {
		_, _ = fmt.Fprintln(stdout, line)
	}
	if len(regressions) > 0 {
		return fmt.Errorf("%d of %d counts have grown by more than a tenth or are missing:\n%s\nmake bench-baseline accepts the present counts",
			len(regressions), len(before), strings.Join(regressions, "\n"))
	}
	_, _ = fmt.Fprintf(stdout, "%d counts, none has grown by more than a tenth\n", len(before))
	return nil
}

// run runs the benchmarks and returns the output of go test. It uses one processor, so that counts do not depend on
// scheduling.
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
