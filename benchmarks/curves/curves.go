// Package curves fits the cost model to measured fleets, and draws the measurements together with the model.
package curves

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

// options holds the values of the flags.
type options struct {
	parts                        []string
	results, images, costs, docs string
}

// Commands registers the subcommand curves.
func Commands(app *kingpin.Application) []command.Command {
	c := app.Command("curves", "Fit the cost model to measured fleets, and draw both.")
	o := new(options)
	c.Arg("part", `Result files of "load curve" and "load rates", or curves.json.`).Required().StringsVar(&o.parts)
	c.Flag("results", "Directory for the results.").Default("benchmarks/results").StringVar(&o.results)
	c.Flag("images", "Directory for the drawings.").Default("docs/images").StringVar(&o.images)
	c.Flag("costs", "File of the cost model, in which the costs are updated.").Default("internal/capacity/costs.yaml").StringVar(&o.costs)
	c.Flag("docs", "File in which the tables are updated.").Default("docs/capacity.md").StringVar(&o.docs)
	return []command.Command{{Clause: c, Run: func(_ context.Context, out, _ io.Writer) error { return o.make(out) }}}
}

// measured holds the runs of all parts. The conditions are those of the part with the most pods, with the commits of
// all parts.
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

func (o *options) make(stdout io.Writer) error {
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
	if err := updateCosts(o.costs, m.Costs); err != nil {
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
	_, _ = fmt.Fprint(w, "The cluster is the largest of them. Figures are sums of all shards that ran;\nan event is one of the cluster.\n\n")
	report.Runs(w, m.Runs)
	writeCosts(w, m.Costs)
}
