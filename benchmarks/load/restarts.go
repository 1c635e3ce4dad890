package load

import (
	"context"
	"os"

	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/benchmarks/measure"
	"github.com/statefleet/statefleet/benchmarks/report"
)

// restarts measures starts of one replica: with an empty directory for its saved state, and with the state
// that the previous process has saved.
func (b *bench) restarts(ctx context.Context) error {
	var runs [2][]report.Figures
	for range b.rounds {
		cold, warm, err := b.restart(ctx)
		if err != nil {
			return err
		}
		runs[0], runs[1] = append(runs[0], warm), append(runs[1], cold)
	}
	return b.finishRatios("restarts", "start, median of", [2]string{"warm", "cold"}, runs)
}

// restart starts a replica without a saved state, stops it, and starts it again with its saved state.
func (b *bench) restart(ctx context.Context) (cold, warm report.Figures, err error) {
	dir, err := os.MkdirTemp("", "statefleet-state-")
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // an error does not affect the result
	e := b.exporter
	if e.Command, err = fleet.ParseCommand(*b.binary, b.arguments+" --store.snapshot-dir="+dir); err != nil {
		return nil, nil, err
	}
	s, err := b.open(ctx, e, 1, 1, b.byServer)
	if err != nil {
		return nil, nil, err
	}
	defer s.Close()
	cold = s.Sum()
	if err := s.Restart(); err != nil {
		return nil, nil, err
	}
	if err := s.Sync(ctx, b.atRest); err != nil {
		return nil, nil, err
	}
	warm = s.Sum()
	b.logf("with its saved state: synced in %.1f s, %.2f CPU-s, %.2f MB from the API server", warm[measure.SyncTime], warm[measure.SyncCPU], warm[measure.SyncBytes])
	return cold, warm, nil
}
