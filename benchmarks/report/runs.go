package report

import (
	"fmt"
	"io"
	"strconv"

	"github.com/statefleet/statefleet/benchmarks/fit"
)

// Runs writes a table with a row for each run of a fleet. Figures are sums of the shards that ran.
func Runs(w io.Writer, runs []fit.Run) {
	const mebi = 1 << 20
	rows := [][]string{{
		"pods", "shards", "by the server", "first list, CPU-s", "MB", "at rest, MiB", "idle, CPU-ms/s", "gzip scrape, CPU-ms",
		"events/s", "an event, CPU-us", "kB", "MiB then",
	}}
	for _, r := range runs {
		shards, server := strconv.Itoa(r.Shards), ""
		if r.Running > 0 {
			shards = fmt.Sprintf("%d of %d", r.Running, r.Shards)
		}
		if r.ServerSharded {
			server = "yes"
		}
		each := max(r.Events, 1e-9)
		row := []string{strconv.Itoa(r.Pods), shards, server}
		for _, v := range []float64{
			r.SyncCPU, r.SyncBytes / 1e6, r.Memory / mebi, r.Idle * 1e3, r.ScrapeCPU * 1e3,
			r.Events, r.CPU / each * 1e6, r.EventBytes / each / 1e3, r.ChurnMemory / mebi,
		} {
			cell := ""
			if v != 0 { // it was measured
				cell = Number(v)
			}
			row = append(row, cell)
		}
		rows = append(rows, row)
	}
	Table(w, rows)
	_, _ = fmt.Fprintln(w)
}
