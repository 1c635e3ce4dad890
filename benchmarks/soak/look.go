package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// look is what the replicas hold together when the cluster is at rest and holds as
// many objects as at the other looks.
type look struct {
	at                         time.Duration // since the first round began
	objects, goroutines, files float64
	heap, resident             float64 // bytes; heap after a collection
	pages, text                float64 // number of pages, and bytes of text in them
}

// measure is one figure of a look.
type measure struct {
	name   string
	format string
	of     func(look) float64
	exact  bool // may not become less either, or the others could not be compared
}

const mebi = 1 << 20

func measures() []measure {
	return []measure{
		{"objects", "%10.0f", func(l look) float64 { return l.objects }, true},
		{"goroutines", "%10.0f", func(l look) float64 { return l.goroutines }, false},
		{"files", "%10.0f", func(l look) float64 { return l.files }, false},
		{"heap MiB", "%10.2f", func(l look) float64 { return l.heap / mebi }, false},
		{"RSS MiB", "%10.1f", func(l look) float64 { return l.resident / mebi }, false},
		{"pages", "%10.0f", func(l look) float64 { return l.pages }, false},
		{"text MiB", "%10.2f", func(l look) float64 { return l.text / mebi }, true},
	}
}

func lookHeader() string {
	var b strings.Builder
	for _, m := range measures() {
		fmt.Fprintf(&b, " %10s", m.name)
	}
	return b.String()
}

// String is a line of the table.
func (l look) String() string {
	var b strings.Builder
	for _, m := range measures() {
		b.WriteByte(' ')
		fmt.Fprintf(&b, m.format, m.of(l))
	}
	return b.String()
}

// look waits until the replicas are at rest, and looks.
func (t *trial) look(ctx context.Context) (look, error) {
	if err := t.settle(ctx); err != nil {
		return look{}, err
	}
	var sum look
	for _, s := range t.fleet.Shards {
		heap, err := liveHeap(ctx, s)
		if err != nil {
			return sum, err
		}
		self, err := s.Self(ctx)
		if err != nil {
			return sum, err
		}
		sum.objects += self.Sum("statefleet_objects")
		sum.goroutines += self.Sum("go_goroutines")
		sum.files += self.Sum("process_open_fds")
		sum.heap += heap
		sum.resident += self.Sum("process_resident_memory_bytes")
		sum.pages += self.Sum("statefleet_pages")
		sum.text += self.Sum("statefleet_page_text_bytes")
	}
	return sum, nil
}

// settleTime is how long the replicas may take until they hold the cluster's objects.
const settleTime = 3 * time.Minute

// settle waits until all replicas are ready, move nowhere, and together hold what
// the cluster holds, as often in a row as makes a few seconds of it.
func (t *trial) settle(ctx context.Context) error {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	last := "no replica has answered"
	for deadline, quiet := time.Now().Add(settleTime), 0; quiet < 8; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-t.fleet.Failed():
			return err
		case <-tick.C:
		}
		unsettled := t.unsettled(ctx)
		quiet++
		if unsettled != "" {
			last, quiet = unsettled, 0
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not settled after %s: %s", settleTime, last)
		}
	}
	return nil
}

// unsettled says what is still under way, "" when nothing is.
func (t *trial) unsettled(ctx context.Context) string {
	held := 0.0
	for i, s := range t.fleet.Shards {
		self, err := s.Self(ctx)
		if err != nil {
			return err.Error()
		}
		held += self.Sum("statefleet_objects")
		switch {
		case !self.Ready():
			return fmt.Sprintf("replica %d is not ready", i)
		case self.Sum("statefleet_transition_in_progress") > 0 || self.Sum("statefleet_config_reload_pending") > 0:
			return fmt.Sprintf("replica %d changes", i)
		case self.Sum("statefleet_topology_active_shards") != float64(t.replicas):
			return fmt.Sprintf("replica %d does not serve by %d shards", i, t.replicas)
		}
	}
	if there := t.cluster.exported(); held != float64(there) {
		return fmt.Sprintf("%.0f objects are held of %d", held, there)
	}
	return ""
}
