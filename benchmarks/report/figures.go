package report

import (
	"fmt"
	"io"
	"slices"
)

// Measure is the name and unit of a figure of a process.
type Measure struct {
	Name, Unit string
	// Longest makes Sum return the largest figure of the processes instead of the sum.
	Longest bool
}

// Figures maps the names of measures to measured values.
type Figures map[string]float64

// Sum adds up the figures of processes that ran concurrently.
func Sum(measures []Measure, all []Figures) Figures {
	sum := Figures{}
	for _, m := range measures {
		for _, f := range all {
			if v, ok := f[m.Name]; ok && m.Longest {
				sum[m.Name] = max(sum[m.Name], v)
			} else if ok {
				sum[m.Name] += v
			}
		}
	}
	return sum
}

// MedianOf returns the median of each figure that all runs have.
func MedianOf(measures []Measure, runs []Figures) Figures {
	medians := Figures{}
	for _, m := range measures {
		var values []float64
		for _, f := range runs {
			if v, ok := f[m.Name]; ok {
				values = append(values, v)
			}
		}
		if len(values) > 0 && len(values) == len(runs) {
			medians[m.Name] = Median(values)
		}
	}
	return medians
}

// Median returns the median of at least one value.
func Median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// WriteFigures writes a table with a column for each of all, and a row for each measure that at least one of them has.
func WriteFigures(w io.Writer, measures []Measure, columns []string, all []Figures) {
	rows := [][]string{append([]string{"figure"}, columns...)}
	for _, m := range measures {
		row, found := []string{withUnit(m.Name, ", ", m.Unit)}, false
		for _, f := range all {
			cell := ""
			if v, ok := f[m.Name]; ok && m.Unit == "" {
				cell, found = fmt.Sprintf("%.0f", v), true // a count
			} else if ok {
				cell, found = Number(v), true
			}
			row = append(row, cell)
		}
		if found {
			rows = append(rows, row)
		}
	}
	Table(w, rows)
}

// WriteRatios writes a table of the figures that both have, with the ratio of other to own.
func WriteRatios(w io.Writer, measures []Measure, head [4]string, own, other Figures) {
	rows := [][]string{head[:]}
	for _, m := range measures {
		a, b := own[m.Name], other[m.Name]
		if a > 0 && b > 0 {
			rows = append(rows, []string{m.Name, withUnit(Number(a), " ", m.Unit), withUnit(Number(b), " ", m.Unit), Number(b / a)})
		}
	}
	Table(w, rows)
}

// WriteRelative writes a table of figures as multiples of those in the first column.
func WriteRelative(w io.Writer, measures []Measure, columns []string, all []Figures) {
	rows := [][]string{append([]string{"times the first"}, columns[1:]...)}
	for _, m := range measures {
		first := all[0][m.Name]
		if first == 0 {
			continue
		}
		row := []string{m.Name}
		for _, f := range all[1:] {
			row = append(row, Number(f[m.Name]/first))
		}
		rows = append(rows, row)
	}
	Table(w, rows)
}

func withUnit(text, between, unit string) string {
	if unit == "" {
		return text
	}
	return text + between + unit
}
