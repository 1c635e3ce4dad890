package limits

import (
	"fmt"
	"io"

	"github.com/statefleet/statefleet/benchmarks/report"
)

// row is one figure.
type row struct {
	Name, Unit string
	Measured   float64
	Estimate   float64 `json:",omitempty"` // 0: there is none
	Text       string  `json:",omitempty"` // in place of a number
}

// add notes a figure.
func (s *site) add(name, unit string, measured float64) {
	s.rows = append(s.rows, row{Name: name, Unit: unit, Measured: measured})
}

// compare notes a figure and its estimate.
func (s *site) compare(name, unit string, measured, estimate float64) {
	s.rows = append(s.rows, row{Name: name, Unit: unit, Measured: measured, Estimate: estimate})
}

// tell notes something that is not a number.
func (s *site) tell(name, text string) { s.rows = append(s.rows, row{Name: name, Text: text}) }

// writeRows writes the table.
func writeRows(w io.Writer, rows []row) {
	table := [][]string{{"figure", "measured", "estimate", "off"}}
	for _, r := range rows {
		cells := []string{r.Name, r.Text, "", ""}
		if r.Unit != "" {
			cells[0] += ", " + r.Unit
		}
		if r.Text == "" {
			cells[1] = report.Number(r.Measured)
		}
		if r.Estimate > 0 && r.Measured > 0 {
			cells[2], cells[3] = report.Number(r.Estimate), fmt.Sprintf("%+.0f %%", 100*(r.Estimate/r.Measured-1))
		}
		table = append(table, cells)
	}
	report.Table(w, table)
}
