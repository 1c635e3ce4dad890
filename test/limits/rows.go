package limits

import (
	"fmt"
	"io"
	"strconv"

	"github.com/statefleet/statefleet/benchmarks/report"
)

// row is one measured figure.
type row struct {
	Name, Unit string
	Measured   float64
	Estimate   float64 `json:",omitempty"` // 0: no estimate
}

// add records a figure.
func (s *setup) add(name, unit string, measured float64) { s.compare(name, unit, measured, 0) }

// compare records a figure and its estimate.
func (s *setup) compare(name, unit string, measured, estimate float64) {
	s.rows = append(s.rows, row{Name: name, Unit: unit, Measured: measured, Estimate: estimate})
}

// writeRows writes the table of figures.
func writeRows(w io.Writer, rows []row) {
	table := [][]string{{"figure", "measured", "estimate", "off"}}
	for _, r := range rows {
		cells := []string{r.Name + ", " + r.Unit, report.Number(r.Measured), "", ""}
		if r.Estimate > 0 && r.Measured > 0 {
			cells[2], cells[3] = report.Number(r.Estimate), fmt.Sprintf("%+.0f %%", 100*(r.Estimate/r.Measured-1))
		}
		table = append(table, cells)
	}
	report.Table(w, table)
}

// writeAudits writes the table of audits.
func writeAudits(w io.Writer, all []auditResult) {
	table := [][]string{{"change", "kind", "objects", "looks", "at most apart, s", "moved", "missing", "for, s",
		"doubled", "ghosts"}}
	for _, a := range all {
		table = append(table, []string{
			a.Change, a.Kind, strconv.Itoa(a.Objects), strconv.Itoa(a.Looks), report.Number(a.Apart.Seconds()),
			strconv.Itoa(a.Moved),
			strconv.Itoa(a.Missing), report.Number(a.Longest.Seconds()), strconv.Itoa(a.Doubled), strconv.Itoa(a.Ghost),
		})
	}
	report.Table(w, table)
}
