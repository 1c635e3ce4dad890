package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/statefleet/statefleet/benchmarks/fit"
	"github.com/statefleet/statefleet/benchmarks/report"
)

// findings are what is printed and written.
type findings struct {
	Conditions conditions
	Targets    []target    `json:",omitempty"`
	Outcome    *outcome    `json:",omitempty"`
	Comparison *comparison `json:",omitempty"`
	Run        *result     `json:",omitempty"`
	Runs       []fit.Run   `json:",omitempty"`
	pods       int
}

// columns are the figures of what was measured.
func (o *outcome) columns() (names []string, all []figures) {
	add := func(name string, r *result) {
		if r != nil {
			names, all = append(names, name), append(all, r.Sum)
		}
	}
	add("one", o.One)
	add("1 of 4", o.Quarter)
	if o.Starts != nil {
		add("1 of 8", o.Starts[startEighth][0])
		add("1 of 8, by the server", o.Starts[startEighthByServer][0])
	}
	add("1 of "+fmt.Sprint(foreignShards), o.Foreign)
	return names, all
}

// save writes NAME.json and NAME.md in a directory.
func (r *findings) save(dir, name string) error {
	var md strings.Builder
	r.write(&md)
	return report.Save(dir, name, md.String(), r)
}

// write is the report as Markdown, with columns that line up.
func (r *findings) write(w io.Writer) {
	r.Conditions.write(w)
	if r.Targets != nil {
		r.writeTargets(w)
		columns, all := r.Outcome.columns()
		writeFigures(w, columns, all)
	}
	if r.Comparison != nil {
		r.Comparison.write(w)
	}
	if r.Runs != nil {
		report.Runs(w, r.Runs)
	}
	if r.Run != nil {
		columns, all := []string{"sum"}, []figures{r.Run.Sum}
		for i, f := range r.Run.PerShard {
			columns, all = append(columns, fmt.Sprint("shard ", i)), append(all, f)
		}
		writeFigures(w, columns, all)
	}
}

func (r *findings) writeTargets(w io.Writer) {
	ref, scale := referenceFor(r.pods)
	rows := [][]string{{"what", "value", "target", "KSM", "of KSM", "met"}}
	met := 0
	for _, t := range r.Targets {
		reference, ratio, verdict := "", "", "no"
		if t.Reference > 0 {
			reference, ratio = report.Number(t.Reference)+" "+t.Unit, "1/"+report.Number(t.Reference/max(t.Value, 1e-9))
		}
		if t.Met {
			verdict = "yes"
			met++
		}
		rows = append(rows, []string{t.What, report.Number(t.Value) + " " + t.Unit, report.Number(t.Target) + " " + t.Unit, reference, ratio, verdict})
	}
	report.Table(w, rows)
	_, _ = fmt.Fprintf(w, "\n%d of %d met. KSM is kube-state-metrics 2.20 with %d pods, measured on another machine", met, len(r.Targets), ref.pods)
	if scale < 0.99 || scale > 1.01 {
		_, _ = fmt.Fprintf(w, ", times %s", report.Number(scale))
	}
	_, _ = fmt.Fprint(w, ": a fixed reference.\n")
	if r.Outcome.One != nil {
		_, _ = fmt.Fprintf(w, "While one shard synchronised, the simulated API server took %s CPU-s itself.\n", report.Number(r.Outcome.One.ServerCPUSeconds))
	}
	if r.Outcome.Starts != nil {
		_, _ = fmt.Fprintf(w, "Reading all lists and dropping them takes %s ms of CPU, less than which no exporter takes that is sent everything. Shards of eight meet their target if\n"+
			"what each of them does again is %s ms at most: the start of the process, that reading, and finding whose the objects are.\n",
			report.Number(median(r.Outcome.Reading)*ms), report.Number(r.Outcome.commonCPU()*ms))
	}
	_, _ = fmt.Fprintln(w)
}

// write is the comparison with its ratios; above 1 the other one needs more.
func (c *comparison) write(w io.Writer) {
	own, other := c.Own[0].Exporter, c.Other[0].Exporter
	rows := [][]string{{"median of " + fmt.Sprint(len(c.Own)), own, other, "ratio"}}
	for _, m := range measures() {
		a, ok := medianOf(c.Own, m)
		b, okToo := medianOf(c.Other, m)
		if !ok || !okToo {
			continue
		}
		rows = append(rows, []string{m.name, report.Number(a) + " " + m.unit, report.Number(b) + " " + m.unit, report.Number(b / max(a, 1e-9))})
	}
	report.Table(w, rows)
	_, _ = fmt.Fprintln(w)
}

func writeFigures(w io.Writer, columns []string, all []figures) {
	rows := [][]string{append([]string{"figure"}, columns...)}
	for _, m := range measures() {
		row, any := []string{strings.TrimSuffix(m.name+", "+m.unit, ", ")}, false
		for _, f := range all {
			text := ""
			if v, ok := m.of(f); ok {
				text, any = report.Number(v), true
			}
			row = append(row, text)
		}
		if any {
			rows = append(rows, row)
		}
	}
	report.Table(w, rows)
	_, _ = fmt.Fprintln(w)
}
