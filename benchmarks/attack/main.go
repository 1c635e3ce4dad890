// Command attack plays attacks of tenants and of clients against statefleet, which serves a simulated cluster meanwhile: an
// honest Prometheus must go on receiving the page, kubelets their probes, and memory must stay within a limit. It needs Linux:
// clients have addresses of their own within 127.0.0.0/8, and memory is read below /proc.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"regexp"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/statefleet/statefleet/benchmarks/command"
)

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }

// options are the flags.
type options struct {
	binary string
	pods   int
	each   time.Duration
	memory int64 // MiB
	only   *regexp.Regexp
	brief  bool // no attack lasts longer than the others, and floods are smaller
}

// flags returns the program's flags, and where their values come.
func flags() (*kingpin.Application, *options) {
	o := &options{}
	app := kingpin.New("attack", "Plays attacks of tenants and clients against statefleet, which serves a simulated cluster.")
	app.Flag("binary", "The statefleet binary.").Default("bin/statefleet").StringVar(&o.binary)
	app.Flag("pods", "Number of pods in the simulated cluster; everything else is in proportion.").Default("2000").IntVar(&o.pods)
	app.Flag("each", "How long each attack lasts. Some take longer to have an effect, and last longer.").Default("10s").DurationVar(&o.each)
	app.Flag("memory", "Resident memory that the process may take at most, in MiB.").Default("512").Int64Var(&o.memory)
	app.Flag("only", "Play the attacks whose name this regular expression matches.").Default("").RegexpVar(&o.only)
	return app, o
}

// check refuses what attacks nothing.
func (o *options) check(string) error {
	if o.pods < 1 || o.each < time.Second || o.memory < 1 {
		return fmt.Errorf("--pods and --memory must be at least 1, and --each at least 1s, got %d, %d and %s", o.pods, o.memory, o.each)
	}
	return nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	app, o := flags()
	return command.Program{App: app, Check: o.check, Work: func(ctx context.Context) error {
		return playAll(ctx, *o, stdout)
	}}.Run(ctx, args, stdout, stderr)
}
