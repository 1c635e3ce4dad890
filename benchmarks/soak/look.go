package soak

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/benchmarks/installation"
	"github.com/statefleet/statefleet/benchmarks/selfmetrics"
)

// look is the sum of the replicas' figures when the cluster is at rest and holds as many objects as at
// the other looks.
type look struct {
	at                         time.Duration // since the first round began
	objects, goroutines, files float64
	heap, resident             float64 // bytes; heap after a collection
	blocks, text               float64 // number of blocks, and bytes of text in them
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
		{"blocks", "%10.0f", func(l look) float64 { return l.blocks }, false},
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
		fmt.Fprintf(&b, " "+m.format, m.of(l))
	}
	return b.String()
}

// look waits until the replicas are at rest, and takes the figures.
func (t *trial) look(ctx context.Context) (look, error) {
	var sum look
	if err := t.settle(ctx); err != nil {
		return sum, err
	}
	for _, r := range t.fleet.Replicas {
		heap, err := liveHeap(ctx, r)
		if err != nil {
			return sum, err
		}
		self, err := r.SelfMetrics(ctx)
		if err != nil {
			return sum, err
		}
		sum.objects += self.Value(selfmetrics.Objects)
		sum.goroutines += self.Value("go_goroutines")
		sum.files += self.Value("process_open_fds")
		sum.heap += heap
		sum.resident += self.Value("process_resident_memory_bytes")
		sum.blocks += self.Value(selfmetrics.Blocks)
		sum.text += self.Value(selfmetrics.TextBytes)
	}
	return sum, nil
}

const (
	// settleTime is how long the replicas may take until they hold the cluster's objects.
	settleTime = 3 * time.Minute
	// settled is how long that has to last.
	settled = 4 * time.Second
)

// settle waits until all replicas are ready, change nothing, and together hold the objects of the
// cluster, for some seconds.
func (t *trial) settle(ctx context.Context) error {
	since := time.Now()
	return t.fleet.Until(ctx, settleTime, "at rest", func(ctx context.Context) error {
		if err := t.unsettled(ctx); err != nil {
			since = time.Now()
			return err
		}
		if time.Since(since) < settled {
			return fmt.Errorf("at rest for %s only", time.Since(since).Round(time.Millisecond))
		}
		return nil
	})
}

// unsettled is an error that says what is still in progress.
func (t *trial) unsettled(ctx context.Context) error {
	if err := fleet.Pause(ctx, 400*time.Millisecond); err != nil { // looks cost CPU and memory, too
		return err
	}
	held := 0
	for i, r := range t.fleet.Replicas {
		self, err := r.SelfMetrics(ctx)
		if err != nil {
			return err
		}
		held += int(self.Value(selfmetrics.Objects))
		switch {
		case self.Value(selfmetrics.Ready) != 1:
			return fmt.Errorf("replica %d is not ready", i)
		case self.Value(selfmetrics.Changing) > 0 || self.Value("statefleet_config_reload_pending") > 0:
			return fmt.Errorf("replica %d changes", i)
		case int(self.Value(selfmetrics.ActiveShards)) != t.replicas:
			return fmt.Errorf("replica %d does not serve by %d shards", i, t.replicas)
		}
	}
	if there := installation.Exported(t.cluster); held != there {
		return fmt.Errorf("%d of %d objects are held", held, there)
	}
	return nil
}

// liveHeap has the replica collect its garbage twice, since the second time frees what pools have kept,
// and returns the bytes that are left. They are read before the profile that the request is for: writing
// it leaves garbage behind.
func liveHeap(ctx context.Context, r *fleet.Replica) (live float64, err error) {
	for range 2 {
		answer, err := r.Get(ctx, r.Telemetry+"/debug/pprof/heap?gc=1&debug=1")
		if err != nil {
			return 0, err
		}
		if live, err = heapAlloc(answer.Body); err != nil {
			return 0, err
		}
	}
	return live, nil
}

// heapAlloc finds the figure among those of runtime.MemStats at the end of a heap profile in text.
func heapAlloc(profile string) (live float64, err error) {
	_, after, found := strings.Cut(profile, "\n# HeapAlloc = ")
	if !found {
		return 0, errors.New("the heap profile has no HeapAlloc")
	}
	_, err = fmt.Sscan(after, &live)
	return live, err
}
