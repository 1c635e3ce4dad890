package report

import (
	"fmt"
	"io"
	"strconv"

	"github.com/statefleet/statefleet/benchmarks/fit"
)

// Runs writes a row for each run of a fleet, with the sums of all its shards.
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
			strconv.Itoa(r.Pods), shards, server, known(r.SyncCPU), known(r.SyncBytes / 1e6), known(r.Memory / mebi), known(r.Idle * 1e3),
			known(r.ScrapeCPU * 1e3), known(r.Events), known(r.CPU / each * 1e6), known(r.EventBytes / each / 1e3), known(r.ChurnMemory / mebi),
		})
	}
	Table(w, rows)
	_, _ = fmt.Fprintln(w)
}

// known leaves a value that was not measured empty.
func known(v float64) string {
	if v == 0 {
		return ""
	}
	return Number(v)
}
