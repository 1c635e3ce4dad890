// Package attack plays attacks of tenants and of clients against statefleet while it serves a simulated
// cluster: an honest Prometheus must go on receiving the page, kubelets their probes, and memory must stay
// within a limit. It needs Linux: clients have addresses of their own within 127.0.0.0/8, and memory is
// read below /proc.
package attack

import (
	"context"
	"io"
	"regexp"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/statefleet/statefleet/benchmarks/command"
)

// options are the flags.
type options struct {
	binary *string
	pods   int
	each   time.Duration
	memory uint64 // MiB
	only   *regexp.Regexp
	brief  bool // no attack lasts longer than the others, and floods are smaller
}

// Commands registers the subcommand attack.
func Commands(app *kingpin.Application) []command.Command {
	c, o := flags(app)
	return []command.Command{{Clause: c, Check: o.check, Run: func(ctx context.Context, out, _ io.Writer) error {
		return playAll(ctx, *o, out)
	}}}
}

func flags(app *kingpin.Application) (*kingpin.CmdClause, *options) {
	c := app.Command("attack", "Play attacks of tenants and clients against statefleet while it serves a simulated cluster.")
	o := &options{binary: command.Binary(c)}
	c.Flag("pods", "Pods in the simulated cluster; other objects in proportion.").Default("2000").IntVar(&o.pods)
	c.Flag("each", "How long each attack lasts. Some take longer to have an effect, and last longer.").Default("10s").DurationVar(&o.each)
	c.Flag("memory", "Resident memory that the process may take at most, in MiB.").Default("512").Uint64Var(&o.memory)
	c.Flag("only", "Play the attacks whose name this regular expression matches.").Default("").RegexpVar(&o.only)
	return c, o
}

func (o *options) check() error {
	return command.AtLeast(command.Bound{Flag: "pods", Value: float64(o.pods), Least: 1},
		command.Bound{Flag: "memory", Value: float64(o.memory), Least: 1},
		command.Bound{Flag: "each", Value: o.each.Seconds(), Least: 1})
}
