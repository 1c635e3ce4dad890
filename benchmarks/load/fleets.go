package load

import (
	"context"
	"fmt"
	"strings"

	"github.com/statefleet/statefleet/benchmarks/measure"
	"github.com/statefleet/statefleet/benchmarks/report"
)

// fleetTable compares the total cost of fleets of several sizes with that of the first of them. Each fleet is
// measured with an API server that sends all objects to all replicas, and with one that shards. All fleets run
// at the same time on one cluster.
func (b *bench) fleetTable(ctx context.Context) error {
	var sessions []*measure.Session
	defer func() { closeAll(sessions) }()
	for _, byServer := range []bool{false, true} {
		for _, shards := range b.fleets {
			if byServer && shards == 1 {
				continue // one shard gets all objects anyway
			}
			s, err := b.open(ctx, b.exporter, shards, shards, byServer)
			if err != nil {
				return err
			}
			sessions = append(sessions, s)
		}
	}
	if err := b.sideBySide(ctx, []*bench{b}, sessions); err != nil {
		return err
	}
	var f findings
	for _, s := range sessions {
		name := fmt.Sprint(s.Shards)
		if s.ByServer {
			name += ", by the server"
		}
		f.add(name, s.Sum())
	}
	var text strings.Builder
	report.WriteFigures(&text, measure.Measures(), f.Columns, f.Figures)
	text.WriteByte('\n')
	report.WriteRelative(&text, measure.Measures(), f.Columns, f.Figures)
	return b.finish("fleets-"+report.Thousands(b.pods), text.String(), f)
}

func closeAll(sessions []*measure.Session) {
	for _, s := range sessions {
		s.Close()
	}
}
