// Command curves makes of measured fleets what is known of their cost: it fits
// the cost model to them, and draws them with what the model says.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/statefleet/statefleet/benchmarks/command"
	"github.com/statefleet/statefleet/benchmarks/fit"
	"github.com/statefleet/statefleet/benchmarks/report"
	"github.com/statefleet/statefleet/internal/capacity"
)

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }

// options are the flags.
type options struct {
	parts                        []string
	results, images, costs, docs string
}

// flags returns the program's flags, and where their values come.
func flags() (*kingpin.Application, *options) {
	o := new(options)
	app := kingpin.New("curves", "Fits the cost model to measured fleets, and draws them.")
	app.Arg("part", `Files that "load curve" and "load rates" have written, or the one that this command has.`).Required().StringsVar(&o.parts)
	app.Flag("results", "Directory that takes the results.").Default("benchmarks/results").StringVar(&o.results)
	app.Flag("images", "Directory that takes the drawings.").Default("docs/images").StringVar(&o.images)
	app.Flag("costs", "File of the cost model, in which the costs are renewed.").Default("internal/capacity/costs.yaml").StringVar(&o.costs)
	app.Flag("docs", "File in which the tables are renewed.").Default("docs/capacity.md").StringVar(&o.docs)
	return app, o
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	app, o := flags()
	return command.Program{App: app, Work: func(context.Context) error { return o.make(stdout) }}.Run(ctx, args, stdout, stderr)
}

// measured are the runs of all parts. The conditions are those of the part with
// most objects, but for commits, of which all are named.
type measured struct {
	Conditions report.Conditions
	Runs       []fit.Run
	Costs      []fitted `json:",omitempty"`
}

func read(parts []string) (measured, error) {
	var all measured
	var commits []string
	for _, file := range parts {
		body, err := os.ReadFile(file)
		if err != nil {
			return all, err
		}
		var part measured
		if err := json.Unmarshal(body, &part); err != nil {
			return all, fmt.Errorf("%s: %w", file, err)
		}
		if part.Conditions.Objects["pods"].Objects > all.Conditions.Objects["pods"].Objects {
			all.Conditions = part.Conditions
		}
		commits = append(commits, part.Conditions.Commit)
		all.Runs = append(all.Runs, part.Runs...)
	}
	slices.Sort(commits)
	all.Conditions.Commit = strings.Join(slices.Compact(commits), ", ")
	return all, nil
}

func (o options) make(stdout io.Writer) error {
	m, err := read(o.parts)
	if err != nil {
		return err
	}
	before, err := capacity.Measured()
	if err != nil {
		return err
	}
	costs, err := fit.Fit(before, m.Runs)
	if err != nil {
		return err
	}
	m.Costs = fittedCosts(costs)
	var md strings.Builder
	m.write(&md)
	if _, err := io.WriteString(stdout, md.String()); err != nil {
		return err
	}
	if err := report.Save(o.results, "curves", md.String(), m); err != nil {
		return err
	}
	if err := renewCosts(o.costs, m.Costs); err != nil {
		return err
	}
	for name, f := range figures(costs, m.Runs) {
		if err := os.WriteFile(filepath.Join(o.images, name+".svg"), f.draw(), 0o644); err != nil {
			return err
		}
	}
	var runs, table strings.Builder
	report.Runs(&runs, m.Runs)
	writeCosts(&table, m.Costs)
	if err := report.Renew(o.docs, "runs", strings.TrimRight(runs.String(), "\n")+"\n"); err != nil {
		return err
	}
	return report.Renew(o.docs, "costs", table.String())
}

func (m measured) write(w io.Writer) {
	m.Conditions.Write(w)
	_, _ = fmt.Fprintln(w, "The cluster is the largest of them. Figures are of all shards that ran, together; an event is one of the cluster.")
	_, _ = fmt.Fprintln(w)
	report.Runs(w, m.Runs)
	writeCosts(w, m.Costs)
}
