package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// report is what is printed and written.
type report struct {
	Conditions conditions
	Targets    []target    `json:",omitempty"`
	Outcome    *outcome    `json:",omitempty"`
	Comparison *comparison `json:",omitempty"`
	Run        *result     `json:",omitempty"`
	pods       int
}

// save writes NAME.json and NAME.md in a directory.
func (r *report) save(dir, name string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var md strings.Builder
	md.WriteString("# " + name + "\n\n")
	r.write(&md)
	if err := os.WriteFile(filepath.Join(dir, name+".md"), []byte(md.String()), 0o644); err != nil {
		return err
	}
	body, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name+".json"), append(body, '\n'), 0o644)
}

// write is the report as Markdown, with columns that line up.
func (r *report) write(w io.Writer) {
	r.writeConditions(w)
	if r.Targets != nil {
		r.writeTargets(w)
		columns := []string{"one", "1 of 4", "1 of 8", "1 of " + fmt.Sprint(foreignShards)}
		writeFigures(w, columns, []figures{
			r.Outcome.One.Sum, r.Outcome.Quarter.Sum, r.Outcome.Starts[2][0].Sum, r.Outcome.Foreign.Sum,
		})
	}
	if r.Comparison != nil {
		r.Comparison.write(w)
	}
	if r.Run != nil {
		columns, all := []string{"sum"}, []figures{r.Run.Sum}
		for i, f := range r.Run.PerShard {
			columns, all = append(columns, fmt.Sprint("shard ", i)), append(all, f)
		}
		writeFigures(w, columns, all)
	}
}

func (r *report) writeConditions(w io.Writer) {
	c := r.Conditions
	all, pods := c.total(), c.Objects["pods"]
	_, _ = fmt.Fprintf(w, "%s, %d cores, %s, %s, commit %s.\n", c.CPU, c.Cores, c.System, c.Go, c.Commit)
	_, _ = fmt.Fprintf(w, "%d objects, %.0f MB in protobuf; %d of them pods of %.1f kB, %d jobs, %d nodes.\n", all.Objects, float64(all.Bytes)/1e6,
		pods.Objects, float64(pods.Bytes)/1e3/float64(max(pods.Objects, 1)), c.Objects["jobs"].Objects, c.Objects["nodes"].Objects)
	_, _ = fmt.Fprintf(w, "Churn: %g jobs, %g status updates and %g heartbeats a second. The simulated API server holds it in %.0f MiB.\n\n",
		c.JobsPerSecond, c.StatusUpdatesPerSecond, c.HeartbeatsPerSecond, c.ServerMiB)
}

func (r *report) writeTargets(w io.Writer) {
	ref, scale := referenceFor(r.pods)
	rows := [][]string{{"what", "value", "target", "KSM", "of KSM", "met"}}
	met := 0
	for _, t := range r.Targets {
		reference, ratio, verdict := "", "", "no"
		if t.Reference > 0 {
			reference, ratio = number(t.Reference)+" "+t.Unit, "1/"+number(t.Reference/max(t.Value, 1e-9))
		}
		if t.Met {
			verdict = "yes"
			met++
		}
		rows = append(rows, []string{t.What, number(t.Value) + " " + t.Unit, number(t.Target) + " " + t.Unit, reference, ratio, verdict})
	}
	writeTable(w, rows)
	_, _ = fmt.Fprintf(w, "\n%d of %d met. KSM is kube-state-metrics 2.20 with %d pods, measured on another machine", met, len(r.Targets), ref.pods)
	if scale < 0.99 || scale > 1.01 {
		_, _ = fmt.Fprintf(w, ", times %s", number(scale))
	}
	_, _ = fmt.Fprintf(w, ": a fixed reference.\nWhile one shard synchronised, the simulated API server took %s CPU-s itself.\n\n", number(r.Outcome.One.ServerCPUSeconds))
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
		rows = append(rows, []string{m.name, number(a) + " " + m.unit, number(b) + " " + m.unit, number(b / max(a, 1e-9))})
	}
	writeTable(w, rows)
	_, _ = fmt.Fprintln(w)
}

func writeFigures(w io.Writer, columns []string, all []figures) {
	rows := [][]string{append([]string{"figure"}, columns...)}
	for _, m := range measures() {
		row, any := []string{strings.TrimSuffix(m.name+", "+m.unit, ", ")}, false
		for _, f := range all {
			text := ""
			if v, ok := m.of(f); ok {
				text, any = number(v), true
			}
			row = append(row, text)
		}
		if any {
			rows = append(rows, row)
		}
	}
	writeTable(w, rows)
	_, _ = fmt.Fprintln(w)
}

func writeTable(w io.Writer, rows [][]string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell), 3)
		}
	}
	line := func(cells func(i int) string) {
		var b strings.Builder
		for i := range widths {
			cell := cells(i)
			b.WriteString("| " + cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+1))
		}
		_, _ = fmt.Fprintln(w, b.String()+"|")
	}
	for n, row := range rows {
		line(func(i int) string { return row[i] })
		if n == 0 {
			line(func(i int) string { return strings.Repeat("-", widths[i]) })
		}
	}
}

// number has about three digits that count.
func number(v float64) string {
	switch {
	case v >= 99.95:
		return fmt.Sprintf("%.0f", v)
	case v >= 9.995:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}
