// Package pressure runs statefleet with little more memory than it needs against hostile clients and
// objects: it must not be killed, must stay within its limit, and must keep serving all other objects. The
// limit is that of a control group, which needs root.
package pressure

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/statefleet/statefleet/benchmarks/command"
	"github.com/statefleet/statefleet/benchmarks/exposition"
	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/benchmarks/selfmetrics"
	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/benchmarks/simulator/generator"
	"github.com/statefleet/statefleet/benchmarks/widgets"
)

const (
	mebi = 1 << 20

	// stepTimeout limits each step.
	stepTimeout = 3 * time.Minute

	// The limit is limitFactor times the memory needed at rest, without files such as the program itself, and at least
	// minRoom more than that: clients need as much from a small replica as from a large one.
	limitFactor = 1.3
	minRoom     = 12 * mebi

	hostileSeries = 5_000
	widgetBytes   = "64KiB" // --byte-limit for Widgets
)

// options holds the values of the flags.
type options struct {
	binary       *string
	pods, storms int
	scrape       time.Duration
}

// Commands registers the subcommand pressure.
func Commands(app *kingpin.Application) []command.Command {
	c, o := flags(app)
	return []command.Command{{Clause: c, Check: func() error { return command.AtLeast("pods", 1, o.pods) }, Run: func(ctx context.Context, out, _ io.Writer) error {
		return o.run(ctx, out, (*pressure).scrapes, (*pressure).objects, (*pressure).custom)
	}}}
}

func flags(app *kingpin.Application) (*kingpin.CmdClause, *options) {
	c := app.Command("pressure", "Run statefleet with little memory against hostile clients and objects.")
	o := &options{binary: command.Binary(c)}
	c.Flag("pods", "Pods in the simulated cluster; other objects in proportion.").Default("20000").IntVar(&o.pods)
	c.Flag("storms", "Number of times that everything has to be listed again.").Default("5").IntVar(&o.storms)
	c.Flag("scrape", "Time for which the clients scrape.").Default("20s").DurationVar(&o.scrape)
	return c, o
}

// pressure is the state of a run.
type pressure struct {
	*options
	out     io.Writer
	cluster *simulator.Cluster
	url     string
	group   controlGroup
}

// run runs the parts one after the other.
func (o *options) run(ctx context.Context, out io.Writer, parts ...func(*pressure, context.Context) error) (err error) {
	p := &pressure{options: o, out: out}
	if p.cluster, err = generator.NewCluster(o.pods, simulator.Options{Seed: 1}); err != nil {
		return err
	}
	values := make([]string, hostileSeries)
	for i := range values {
		values[i] = fmt.Sprintf(`"key-%d":%d`, i, i)
	}
	api := widgets.New(p.cluster.Handler(),
		widgets.Object("hostile", strings.Join(values, ",")), widgets.Object("honest", `"only":1`))
	var stop func()
	if p.url, stop, err = fleet.Serve(api); err != nil {
		return err
	}
	defer stop()
	p.printf("%d objects; limit: a control group with %.1f times the memory that is needed at rest, and at least %d MiB more than that.",
		p.cluster.Len(), limitFactor, minRoom/mebi)
	p.printf("%-16s %9s %9s", "", "limit", "peak")
	for _, part := range parts {
		if err := p.runPart(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

// runPart runs a part in a new control group, so that the peak is that of the part.
func (p *pressure) runPart(ctx context.Context, run func(*pressure, context.Context) error) (err error) {
	if p.group, err = newGroup(); err != nil {
		return err
	}
	defer p.group.close()
	return run(p, ctx)
}

func (p *pressure) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(p.out, format+"\n", args...)
}

// replica is a running process.
type replica struct {
	*fleet.Replica
	*pressure
	fleet *fleet.Fleet
	limit uint64
}

// start starts a process and waits until it is at rest. A limit of 0 means none.
func (p *pressure) start(ctx context.Context, limit uint64, flags ...string) (*replica, error) {
	var prefix fleet.Command
	if limit > 0 {
		var err error
		if prefix, err = p.group.setLimit(limit); err != nil {
			return nil, err
		}
	}
	f, err := fleet.StartOne(append(prefix, fleet.On(*p.binary, append(flags, "--apiserver="+p.url)...)...))
	if err != nil {
		return nil, err
	}
	r := &replica{Replica: f.Replicas[0], pressure: p, limit: limit, fleet: f}
	if err = f.WaitReady(ctx, stepTimeout); err == nil {
		err = r.settle(ctx)
	}
	if err != nil {
		f.Stop()
		return nil, err
	}
	return r, nil
}

// startLimited starts a process with the limit that follows from the memory it needs at rest. To measure
// that, it runs a process without a limit first.
func (p *pressure) startLimited(ctx context.Context, flags ...string) (*replica, error) {
	r, err := p.start(ctx, 0, flags...)
	if err != nil {
		return nil, err
	}
	u, err := r.Usage()
	r.fleet.Stop()
	if err != nil {
		return nil, err
	}
	return p.start(ctx, max(uint64(limitFactor*float64(u.Anonymous)), u.Anonymous+minRoom), flags...)
}

// settle waits until the replica has neither gained nor lost an object, nor received an update, for two seconds.
func (r *replica) settle(ctx context.Context) error {
	last, since := -1.0, time.Now()
	return r.fleet.Until(ctx, stepTimeout, "at rest", func(ctx context.Context) error {
		self, err := r.SelfMetrics(ctx)
		if err != nil {
			return err
		}
		if events := self.Value(selfmetrics.Objects) + self.Value(selfmetrics.Updates); events != last {
			last, since = events, time.Now()
		}
		if time.Since(since) < 2*time.Second {
			return fmt.Errorf("last change %s ago, want at least 2s", time.Since(since).Round(time.Millisecond))
		}
		return nil
	})
}

// row prints the result of a part. It returns an error if the process has ended: the kernel kills a process
// that exceeds its limit.
func (r *replica) row(name, result string, args ...any) error {
	if err := r.fleet.Ended(); err != nil {
		return err
	}
	r.printf("%-16s %5.0f MiB %5.0f MiB  %s", name, float64(r.limit)/mebi, float64(r.group.peak())/mebi, fmt.Sprintf(result, args...))
	return nil
}

// overLimit returns the number of updates that were rejected because of a limit.
func overLimit(self exposition.Exposition) float64 {
	return self.Value(selfmetrics.Updates, "result", "over_limit")
}

// custom creates a custom resource with more text than its kind may have.
func (p *pressure) custom(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "statefleet-pressure-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	config := filepath.Join(dir, "widgets.yaml")
	if err := os.WriteFile(config, []byte(widgets.Config), 0o600); err != nil {
		return err
	}
	r, err := p.startLimited(ctx, "--custom-resource-state-only", "--custom-resource-state-config-file="+config, "--byte-limit="+widgetBytes)
	if err != nil {
		return err
	}
	defer r.fleet.Stop()
	lines, err := r.Lines(ctx)
	if err != nil {
		return err
	}
	self, err := r.SelfMetrics(ctx)
	if err != nil {
		return err
	}
	honest, hostile := lines.Count("", `name="honest"`), lines.Count("", `name="hostile"`)
	if honest != 1 || hostile != 0 || overLimit(self) == 0 {
		return fmt.Errorf("got %d series of the honest object, %d of the hostile one and %.0f counted as left out, want 1, 0 and more than 0",
			honest, hostile, overLimit(self))
	}
	return r.row("custom resource", "an object with %d series beyond --byte-limit=%s is left out and counted, the other one is exposed",
		hostileSeries, widgetBytes)
}
