package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/statefleet/statefleet/benchmarks/report"
)

// findings are what is printed and kept.
type findings struct {
	report.Conditions
	// What came and went: Jobs, each with a pod, and for how long.
	JobsPerSecond, ChurnSeconds, EventsPerSecond float64
	Rows                                         []row
}

func (f findings) write(w io.Writer) {
	f.Write(w)
	_, _ = fmt.Fprintf(w, "%g jobs a second, each with a pod, came and went for %.0f s: %.0f events a second.\n\n", f.JobsPerSecond, f.ChurnSeconds, f.EventsPerSecond)
	f.table(w)
}

// table has an architecture in each column.
func (f findings) table(w io.Writer) {
	head := []string{""}
	for _, r := range f.Rows {
		head = append(head, r.Name)
	}
	rows := [][]string{head}
	add := func(what string, cell func(row) string) {
		cells := []string{what}
		for _, r := range f.Rows {
			cells = append(cells, cell(r))
		}
		rows = append(rows, cells)
	}
	number := func(of func(row) float64) func(row) string {
		return func(r row) string { return report.Number(of(r)) }
	}
	add("series", func(r row) string { return strconv.FormatInt(r.Series, 10) })
	add("resident memory, at rest, MiB", number(func(r row) float64 { return r.RestMiB }))
	add("the most until then, MiB", number(func(r row) float64 { return r.PeakMiB }))
	add("CPU a second when nothing happens, ms", number(func(r row) float64 { return r.IdleMillis }))
	add(fmt.Sprintf("the same with %.0f events a second", f.EventsPerSecond), number(func(r row) float64 { return r.BusyMillis }))
	add("gzip scrape, ms", number(func(r row) float64 { return r.ScrapeMillis }))
	add("its CPU, ms", number(func(r row) float64 { return r.ScrapeCPUMillis }))
	add("age of a value at a scrape, at most, s", func(r row) string {
		if r.StaleSeconds < 0.01 {
			return "under 0.01"
		}
		return report.Number(r.StaleSeconds)
	})
	add("least of its series that a page had", func(r row) string {
		return fmt.Sprintf("%.0f %%", 100*float64(r.FewestSeries)/float64(max(r.Series, 1)))
	})
	add("series of objects that are gone", func(r row) string { return strconv.FormatInt(r.GoneSeries, 10) })
	add("resident memory then, MiB", number(func(r row) float64 { return r.AfterMiB }))
	report.Table(w, rows)
}

// save keeps the findings, and renews the table in the docs if there is one.
func (f findings) save(o options) error {
	var all, table strings.Builder
	f.write(&all)
	if err := report.Save(o.results, "architectures-"+report.Thousands(o.pods), all.String(), f); err != nil {
		return err
	}
	if o.docs == "" {
		return nil
	}
	f.table(&table)
	return report.Renew(o.docs, "architectures", table.String())
}
