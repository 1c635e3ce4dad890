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

// sample is the sum of the replicas' figures while the cluster is at rest. All samples are taken with
// the same number of objects in the cluster.
type sample struct {
	at                         time.Duration // since the first round began
	objects, goroutines, files float64
	heap, resident             float64 // bytes; heap after a collection
	blocks, text               float64 // number of blocks, and bytes of text in them
}

// figure is one figure of a sample.
type figure struct {
	name   string
	format string
	of     func(sample) float64
	exact  bool // must not shrink either, because the other figures depend on it
}

const mebi = 1 << 20

func figures() []figure {
	return []figure{
		{"objects", "%10.0f", func(s sample) float64 { return s.objects }, true},
		{"goroutines", "%10.0f", func(s sample) float64 { return s.goroutines }, false},
		{"files", "%10.0f", func(s sample) float64 { return s.files }, false},
		{"heap MiB", "%10.2f", func(s sample) float64 { return s.heap / mebi }, false},
		{"RSS MiB", "%10.1f", func(s sample) float64 { return s.resident / mebi }, false},
		{"blocks", "%10.0f", func(s sample) float64 { return s.blocks }, false},
		{"text MiB", "%10.2f", func(s sample) float64 { return s.text / mebi }, true},
	}
}

func tableHeader() string {
	var b strings.Builder
	for _, f := range figures() {
		fmt.Fprintf(&b, " %10s", f.name)
	}
	return b.String()
}

// String returns the sample as a line of the table.
func (s sample) String() string {
	var b strings.Builder
	for _, f := range figures() {
		fmt.Fprintf(&b, " "+f.format, f.of(s))
	}
	return b.String()
}

// sample waits until the replicas are at rest, and adds up their figures.
func (t *trial) sample(ctx context.Context) (sample, error) {
	var sum sample
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
	// settleTimeout limits how long the replicas may take to hold all objects of the cluster.
	settleTimeout = 3 * time.Minute
	// settledFor is how long the replicas must stay at rest.
	settledFor = 4 * time.Second
)

// settle waits until the replicas are at rest for settledFor: all are ready, none is in a transition, and
// together they hold the objects of the cluster.
func (t *trial) settle(ctx context.Context) error {
	since := time.Now()
	return t.fleet.Until(ctx, settleTimeout, "at rest", func(ctx context.Context) error {
		if err := t.unsettled(ctx); err != nil {
			since = time.Now()
			return err
		}
		if time.Since(since) < settledFor {
			return fmt.Errorf("at rest for %s, want %s", time.Since(since).Round(time.Millisecond), settledFor)
		}
		return nil
	})
}

// unsettled returns an error that states why the replicas are not at rest, or nil if they are.
func (t *trial) unsettled(ctx context.Context) error {
	if err := fleet.Pause(ctx, 400*time.Millisecond); err != nil { // reading metrics costs CPU and memory, too
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
			return fmt.Errorf("replica %d is in a transition or reload", i)
		case int(self.Value(selfmetrics.ActiveShards)) != t.replicas:
			return fmt.Errorf("replica %d does not have %d active shards", i, t.replicas)
		}
	}
	if exported := installation.Exported(t.cluster); held != exported {
		return fmt.Errorf("the replicas hold %d objects, want %d", held, exported)
	}
	return nil
}

// liveHeap makes the replica collect its garbage twice, because only the second collection frees the
// contents of pools, and returns the bytes of the heap after that. The figure does not include the
// garbage of writing the profile.
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

// heapAlloc returns HeapAlloc from the runtime.MemStats at the end of a heap profile in text form.
func heapAlloc(profile string) (live float64, err error) {
	_, after, found := strings.Cut(profile, "\n# HeapAlloc = ")
	if !found {
		return 0, errors.New("the heap profile has no HeapAlloc")
	}
	_, err = fmt.Sscan(after, &live)
	return live, err
}
