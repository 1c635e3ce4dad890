package load

import (
	"context"
	"fmt"
	"strings"

	"github.com/statefleet/statefleet/benchmarks/measure"
	"github.com/statefleet/statefleet/benchmarks/report"
)

// fleetTable measures what fleets of several sizes cost in total, beside the first of them: each with
// an API server that sends all objects to all replicas, and with one that shards. All run side by
// side on one cluster.
func (o *options) fleetTable(ctx context.Context, b *bench) error {
	var sites []site
	defer func() { closeAll(sites) }()
	for _, byServer := range []bool{false, true} {
		for _, shards := range o.fleets {
			if byServer && shards == 1 {
				continue // there is nothing to leave out
			}
			s, err := b.open(ctx, o.exporter, shards, shards, byServer)
			if err != nil {
				return err
			}
			sites = append(sites, site{b, s, byServer})
		}
	}
	if err := o.sideBySide(ctx, []*bench{b}, sites); err != nil {
		return err
	}
	var f findings
	for _, s := range sites {
		name := fmt.Sprint(s.session.Shards)
		if s.byServer {
			name += ", by the server"
		}
		f.Columns, f.Figures = append(f.Columns, name), append(f.Figures, s.session.Sum())
	}
	var text strings.Builder
	report.WriteFigures(&text, measure.Measures(), f.Columns, f.Figures)
	text.WriteByte('\n')
	report.WriteRelative(&text, measure.Measures(), f.Columns, f.Figures)
	return b.finish("fleets-"+report.Thousands(o.pods), text.String(), f)
}

func closeAll(sites []site) {
	for _, s := range sites {
		s.session.Close()
	}
}
