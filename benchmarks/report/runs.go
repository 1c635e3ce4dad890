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
		rows = append(rows, []string{
			strconv.Itoa(r.Pods), shards, server, numberOrEmpty(r.SyncCPU), numberOrEmpty(r.SyncBytes / 1e6), numberOrEmpty(r.Memory / mebi), numberOrEmpty(r.Idle * 1e3),
			numberOrEmpty(r.ScrapeCPU * 1e3), numberOrEmpty(r.Events), numberOrEmpty(r.CPU / each * 1e6), numberOrEmpty(r.EventBytes / each / 1e3), numberOrEmpty(r.ChurnMemory / mebi),
		})
	}
	Table(w, rows)
	_, _ = fmt.Fprintln(w)
}

// numberOrEmpty returns a number as [Number] does, or "" for 0, which means not measured.
func numberOrEmpty(v float64) string {
	if v == 0 {
		return ""
	}
	return Number(v)
}
