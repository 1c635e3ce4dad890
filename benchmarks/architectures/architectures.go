// Package architectures compares three ways to export the state of a cluster: an exporter that periodically
// copies values from a cache of objects into a registry, an exporter that collects metrics from such a cache
// for each scrape, and statefleet, which keeps no objects. All export the same families of pods and jobs.
// They run at the same time, in separate processes, on one simulated cluster.
package architectures

import (
	"cmp"
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

// options holds the values of the flags of architectures.
type options struct {
	binary                *string
	commit, results, docs string
	pods                  int
	settle, follow, churn time.Duration
}

// Commands registers the subcommand architectures, and a hidden subcommand that runs an exporter other than
// statefleet.
func Commands(app *kingpin.Application) []command.Command {
	c := app.Command("architectures", "Compare three ways to export the state of a cluster.")
	o := &options{binary: command.Binary(c)}
	c.Flag("pods", "Pods in the simulated cluster.").Default("20000").IntVar(&o.pods)
	c.Flag("commit", "Name of the commit in the results.").StringVar(&o.commit)
	c.Flag("results", "Directory for the results.").Default("benchmarks/results").StringVar(&o.results)
	c.Flag("docs", "File in which the table is updated; default: none.").StringVar(&o.docs)
	c.Flag("follow", "Time for which the age of values is measured, for each exporter.").Default("25s").DurationVar(&o.follow)
	c.Flag("settle", "Time at rest before memory is read.").Default("75s").DurationVar(&o.settle)
	c.Flag("churn", "Time for which Jobs are created and deleted.").Default("30s").DurationVar(&o.churn)

	e := app.Command("exporter", "Run an exporter that architectures compares with statefleet.").Hidden()
	x := new(exporter)
	e.Flag("as", "Kind of exporter.").Required().EnumVar(&x.as, asRegistry, asCleared, asCollector)
	e.Flag("kubeconfig", "Kubeconfig of the cluster.").Required().StringVar(&x.kubeconfig)
	e.Flag("port", "Port of the metrics.").Required().IntVar(&x.port)
	e.Flag("refresh", "Time between two copies into the registry.").Default("10s").DurationVar(&x.refresh)
	return []command.Command{
		{Clause: c, Check: o.check, Run: o.run},
		{Clause: e, Check: func() error {
			return command.AtLeast("refresh", 1e-3, x.refresh.Seconds())
		}, Run: func(ctx context.Context, _, _ io.Writer) error { return x.serve(ctx) }},
	}
}

func (o *options) check() error {
	return cmp.Or(command.AtLeast("pods", 1, o.pods), command.AtLeast("follow", 1e-3, o.follow.Seconds()),
		command.AtLeast("churn", 1e-3, o.churn.Seconds()))
}

func compared(self, binary string) []measure.Exporter {
	as := func(kind string) fleet.Command {
		return fleet.Command{self, "exporter", "--as=" + kind, "--kubeconfig={{.Kubeconfig}}", "--port={{.Port}}"}
	}
	families := "--metric-allowlist=^(" + strings.Join(names(), "|") + ")$"
	return []measure.Exporter{
		{Name: "cache, copied into a registry every 10 s", Command: as(asRegistry), Ready: "/readyz"},
		{Name: "the same, registry cleared before each copy", Command: as(asCleared), Ready: "/readyz"},
		{Name: "cache, collected for each scrape", Command: as(asCollector), Ready: "/readyz"},
		{Name: "statefleet", Command: fleet.Static(binary, "--resources=pods,jobs", families), Ready: "/readyz"},
	}
}

// findings is the content of the JSON result file.
type findings struct {
	report.Conditions
	// Churn of Jobs, each with a pod.
	JobsPerSecond, ChurnSeconds, EventsPerSecond float64
	Columns                                      []string
	Figures                                      []report.Figures
}

// run measures all exporters on the same cluster, and writes the results.
func (o *options) run(ctx context.Context, out, progress io.Writer) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cluster, err := generator.NewCluster(o.pods, simulator.Options{})
	if err != nil {
		return err
	}
	m := &measurement{options: o, cluster: cluster, progress: progress}
	defer m.close()
	if err := m.measure(ctx, compared(self, *o.binary)); err != nil {
		return err
	}
	f := findings{
		Conditions: report.Observe(o.commit, cluster), JobsPerSecond: jobsPerSecond, ChurnSeconds: o.churn.Seconds(), EventsPerSecond: m.events,
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
