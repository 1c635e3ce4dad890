package scrapes

import (
	"fmt"
	"io"

	"github.com/statefleet/statefleet/benchmarks/report"
)

const (
	mebi = 1 << 20
	mega = 1e6
)

// reason is an error that aborts one combination. The others are still measured.
type reason string

const (
	tooLarge reason = "memory" // Prometheus used more than --most-memory
	failed   reason = "scrape" // a scrape failed, usually because it took longer than the interval
)

// Error implements error.
func (r reason) Error() string { return "aborted: " + string(r) }

// figures are the results of one combination. A scrape is one of all replicas.
type figures struct {
	combination
	GivenUp reason `json:",omitempty"` // why it was aborted; empty if it was not

	Samples    float64 // per scrape
	Text, Gzip float64 // bytes per scrape
	FirstTook  float64 // seconds: the longest of the first scrapes, which create all series
	FirstCPU   float64 // CPU seconds of Prometheus until their end
	Took       float64 // seconds: the mean of later scrapes of one replica
	Longest    float64 // seconds: the longest of them
	CPU        float64 // CPU seconds of Prometheus per scrape
	Allocated  float64 // bytes per scrape
	Series     float64 // in memory at the end
	Created    float64 // series per second
	Live       float64 // bytes of the heap in use after the last garbage collection
	Resident   float64 // bytes: the peak
}

func writeFigures(w io.Writer, all []figures) {
	table := [][]string{{
		"profile", "samples of value 0", "replicas", "samples, 1000", "text, MB", "gzip, MB", "first scrape, s", "CPU-s",
		"a scrape, s", "longest, s", "CPU-s", "allocated, MB", "series, 1000", "new a second", "heap, MiB",
		"resident, MiB", "heap a series, bytes",
	}}
	for _, f := range all {
		zeros := "without"
		if f.Zeros {
			zeros = "with"
		}
		row := []string{f.Profile, zeros, fmt.Sprint(f.Replicas)}
		if f.GivenUp != "" {
			row = append(row, make([]string, len(table[0])-len(row))...)
			row[6], row[15] = "failed", report.Number(f.Resident/mebi)
			if f.GivenUp == tooLarge {
				row[6], row[15] = "", fmt.Sprintf("above %.0f", f.Resident/mebi)
			}
			table = append(table, row)
			continue
		}
		for _, v := range []float64{
			f.Samples / 1e3, f.Text / mega, f.Gzip / mega, f.FirstTook, f.FirstCPU, f.Took, f.Longest, f.CPU, f.Allocated / mega,
			f.Series / 1e3, f.Created, f.Live / mebi, f.Resident / mebi, f.Live / max(f.Series, 1),
		} {
			row = append(row, report.Number(v))
		}
		table = append(table, row)
	}
	report.Table(w, table)
}
