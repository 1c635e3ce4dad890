// Package architectures compares three ways to export the state of a cluster: values that are copied from
// a cache of objects into a registry now and then, metrics that are made of such a cache for each scrape,
// and statefleet, which keeps no objects. All show the same families of pods and jobs, each in a process
// of its own beside the others, on one simulated cluster.
package architectures

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/statefleet/statefleet/benchmarks/command"
	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/benchmarks/measure"
	"github.com/statefleet/statefleet/benchmarks/report"
	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/benchmarks/simulator/generator"
)

// options are the flags of the comparison.
type options struct {
	binary                       *string
	commit, results, docs        string
	pods, scrapes                int
	settle, every, follow, churn time.Duration
	jobs                         float64
}

// Commands registers the subcommand architectures, and a hidden one that is the exporters which are not
// statefleet.
func Commands(app *kingpin.Application) []command.Command {
	c := app.Command("architectures", "Compare three ways to export the state of a cluster.")
	o := &options{binary: command.Binary(c)}
	c.Flag("pods", "Pods in the simulated cluster.").Default("20000").IntVar(&o.pods)
	c.Flag("commit", "Name of the commit in the results.").StringVar(&o.commit)
	c.Flag("results", "Directory that takes the results.").Default("benchmarks/results").StringVar(&o.results)
	c.Flag("docs", "File in which the table is renewed.").StringVar(&o.docs)
	c.Flag("scrapes", "Scrapes that a figure is the mean of, at least.").Default("5").IntVar(&o.scrapes)
	c.Flag("follow", "Time for which the age of values is followed, for each exporter.").Default("25s").DurationVar(&o.follow)
	c.Flag("settle", "Time at rest before memory is read.").Default("75s").DurationVar(&o.settle)
	c.Flag("every", "Time between two of the scrapes before memory is read.").Default("5s").DurationVar(&o.every)
	c.Flag("churn", "Time in which Jobs come and go.").Default("30s").DurationVar(&o.churn)
	c.Flag("jobs-per-second", "Jobs that come and go each second.").Default("50").Float64Var(&o.jobs)

	e := app.Command("exporter", "Be one of the exporters that architectures compares with statefleet.").Hidden()
	x := new(exporter)
	e.Flag("as", "Which.").Required().EnumVar(&x.as, asRegistry, asCleared, asCollector)
	e.Flag("kubeconfig", "The cluster.").Required().StringVar(&x.kubeconfig)
	e.Flag("port", "Port of the metrics.").Required().IntVar(&x.port)
	e.Flag("refresh", "Time from one copy into the registry to the next.").Default("10s").DurationVar(&x.refresh)
	return []command.Command{
		{Clause: c, Check: o.check, Run: o.run},
		{Clause: e, Check: func() error {
			return command.AtLeast(command.Bound{Flag: "refresh", Value: x.refresh.Seconds(), Least: 1e-3})
		}, Run: func(ctx context.Context, _, _ io.Writer) error { return x.serve(ctx) }},
	}
}

func (o *options) check() error {
	return command.AtLeast(command.Bound{Flag: "pods", Value: float64(o.pods), Least: 1},
		command.Bound{Flag: "scrapes", Value: float64(o.scrapes), Least: 1},
		command.Bound{Flag: "follow", Value: o.follow.Seconds(), Least: 1e-3},
		command.Bound{Flag: "churn", Value: o.churn.Seconds(), Least: 1e-3},
		command.Bound{Flag: "every", Value: o.every.Seconds(), Least: 1e-3})
}

func compared(self, binary string) []measure.Exporter {
	as := func(what string) fleet.Command {
		return fleet.Command{self, "exporter", "--as=" + what, "--kubeconfig={{.Kubeconfig}}", "--port={{.Port}}"}
	}
	families := "--metric-allowlist=^(" + strings.Join(names(), "|") + ")$"
	return []measure.Exporter{
		{Name: "cache, copied into a registry every 10 s", Command: as(asRegistry), Ready: "/readyz"},
		{Name: "the same, registry cleared before each copy", Command: as(asCleared), Ready: "/readyz"},
		{Name: "cache, collected for each scrape", Command: as(asCollector), Ready: "/readyz"},
		{Name: "statefleet", Command: fleet.Static(binary, "--resources=pods,jobs", families), Ready: "/readyz"},
	}
}

// findings are the results in a file.
type findings struct {
	report.Conditions
	// Jobs, each with a pod, came and went for so long.
	JobsPerSecond, ChurnSeconds, EventsPerSecond float64
	Columns                                      []string
	Figures                                      []report.Figures
}

// run measures all architectures on the same cluster.
func (o *options) run(ctx context.Context, out, progress io.Writer) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cluster := simulator.New(simulator.Options{Seed: 1})
	if err := cluster.Populate(generator.Scale(o.pods).Objects()); err != nil {
		return err
	}
	m := &measurement{options: o, cluster: cluster, progress: progress}
	defer m.close()
	if err := m.measure(ctx, compared(self, *o.binary)); err != nil {
		return err
	}
	f := findings{
		Conditions: report.Observe(o.commit, cluster), JobsPerSecond: o.jobs, ChurnSeconds: o.churn.Seconds(), EventsPerSecond: m.events,
	}
	for _, s := range m.subjects {
		f.Columns, f.Figures = append(f.Columns, s.Name), append(f.Figures, s.Figures[0])
	}
	var text, table strings.Builder
	report.WriteFigures(&table, measures(), f.Columns, f.Figures)
	f.Write(&text)
	_, _ = fmt.Fprintf(&text, "%g jobs a second, each with a pod, came and went for %.0f s: %.0f events a second.\n\n%s",
		f.JobsPerSecond, f.ChurnSeconds, f.EventsPerSecond, &table)
	if _, err := io.WriteString(out, text.String()); err != nil {
		return err
	}
	err = report.Save(o.results, "architectures-"+report.Thousands(o.pods), text.String(), f)
	if err != nil || o.docs == "" {
		return err
	}
	return report.Renew(o.docs, "architectures", table.String())
}
