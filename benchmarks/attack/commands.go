// Package attack runs attacks of tenants and of clients against statefleet while it serves a simulated
// cluster. Meanwhile every scrape of an honest Prometheus must succeed, a kubelet must not see three failed
// probes in a row, and memory must stay within a limit. It needs Linux: clients have different addresses of
// 127.0.0.0/8, and memory is read from /proc.
package attack

import (
	"cmp"
	"context"
	"io"
	"regexp"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/statefleet/statefleet/benchmarks/command"
)

// options holds the values of the flags.
type options struct {
	binary *string
	pods   int
	each   time.Duration
	only   *regexp.Regexp
	brief  bool // no attack lasts longer than --each, and there are fewer connections
}

// Commands registers the subcommand attack.
func Commands(app *kingpin.Application) []command.Command {
	c, o := flags(app)
	return []command.Command{{Clause: c, Check: o.check, Run: func(ctx context.Context, out, _ io.Writer) error {
		return runAll(ctx, *o, out)
	}}}
}

func flags(app *kingpin.Application) (*kingpin.CmdClause, *options) {
	c := app.Command("attack", "Run attacks of tenants and clients against statefleet while it serves a simulated cluster.")
	o := &options{binary: command.Binary(c)}
	c.Flag("pods", "Pods in the simulated cluster; other objects in proportion.").Default("2000").IntVar(&o.pods)
	c.Flag("each", "Duration of each attack. Attacks that take longer to have an effect last longer.").Default("10s").DurationVar(&o.each)
	c.Flag("only", "Run only the attacks whose name this regular expression matches.").Default("").RegexpVar(&o.only)
	return c, o
}

func (o *options) check() error {
	return cmp.Or(command.AtLeast("pods", 1, o.pods), command.AtLeast("each", 1, o.each.Seconds()))
}
