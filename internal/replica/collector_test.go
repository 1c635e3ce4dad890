package replica

import (
	"testing"
	"time"
)

func TestSelfMetricsOfTheStoreAndReadiness(t *testing.T) {
	began := time.Now()
	w := newWorld(t)
	for i := range 2000 {
		w.pod(i, "n0")
	}
	r := w.start(func(o *Options) {
		podsOnly(o)
		o.RawBytes = 128 << 10
	})
	if got := r.value("statefleet_ready", "", ""); got != 0 {
		t.Errorf("statefleet_ready without a shard is %g, want 0", got)
	}
	r.assign(0, 1)
	r.waitReady()
	if got := r.value("statefleet_ready", "", ""); got != 1 {
		t.Errorf("statefleet_ready is %g, want 1", got)
	}
	states := func() (raw, compressed, both int) {
		s := r.current()[0].store.Stats()
		raw, compressed, both = s.Blocks-s.CompressedBlocks, s.Blocks-s.RawBlocks, s.RawBlocks+s.CompressedBlocks-s.Blocks
		for state, want := range map[string]int{"raw": raw, "compressed": compressed, "both": both} {
			if got := r.value("statefleet_store_blocks", "state", state); got != float64(want) {
				t.Errorf("state %s: got %g blocks, want %d", state, got, want)
			}
		}
		return raw, compressed, both
	}
	if raw, compressed, _ := states(); raw == 0 || compressed == 0 {
		t.Errorf("got %d raw and %d compressed blocks, want some of each", raw, compressed)
	}
	r.samples() // compresses all blocks, of which some stay raw, too
	if _, compressed, both := states(); compressed == 0 || both == 0 {
		t.Errorf("got %d blocks that are compressed only and %d that are both, want some of each", compressed, both)
	}
	at := time.UnixMilli(int64(1000 * r.value("statefleet_watch_last_event_timestamp_seconds", "resource", "pods")))
	if at.Before(began.Truncate(time.Millisecond)) || at.After(time.Now()) {
		t.Errorf("the last event was at %s, want a time between %s and now", at, began)
	}
}
