package demo

import (
	"context"
	"io"
	"slices"
	"time"

	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/benchmarks/installation"
	"github.com/statefleet/statefleet/benchmarks/selfmetrics"
	"github.com/statefleet/statefleet/benchmarks/simulator"
)

// Numbers of tables after which the fleet is scaled.
const (
	scaleUpAfter   = 2
	scaleDownAfter = 5
)

// row holds the figures of one shard.
type row struct {
	ready  bool
	active int // number of active shards
	// See columns.
	objects, series, text, held, body, scrape, resident, decoded, skipped float64
}

// view prints the state of the fleet, and scales it.
type view struct {
	*options
	cluster  *simulator.Cluster
	fleet    *fleet.Fleet
	install  *installation.Installation
	requests scaleRequests
	out      io.Writer
	start    time.Time

	lastTable    time.Time // when the last table was printed
	tables       int       // printed so far
	target       int       // number of replicas after the change in progress; 0 if there is none
	userScaled   bool      // a user has requested a number of replicas, so the demo no longer scales by itself
	scalingSince time.Time // start of the last change
}

// loop prints tables and scales the fleet, until ctx ends or a replica ends by itself.
func (v *view) loop(ctx context.Context) error {
	if err := v.fleet.WaitReady(ctx, fleet.DefaultTimeout); err != nil && ctx.Err() == nil {
		return err
	}
	printf(v.out, "All shards are ready %.1f s after the start.\n", time.Since(v.start).Seconds())
	for i, r := range v.fleet.Replicas {
		printf(v.out, "  shard %d of %d   metrics %s/metrics   status page %s/", i, v.shards, r.URL, r.Telemetry)
	}
	printf(v.out, "\nTo start one process for all objects of your own cluster, or the first of three shards, run")
	printf(v.out, "  %s --kubeconfig ~/.kube/config", *v.binary)
	printf(v.out, "  %s --kubeconfig ~/.kube/config --shard=0 --total-shards=3", *v.binary)
	printf(v.out, "README.md describes how to install a fleet in your cluster.")
	if v.further > 0 {
		printf(v.out, "The demo will scale its fleet.")
	}
	printf(v.out, "Ctrl-C ends it.")
	printLegend(v.out)
	for fleet.Pause(ctx, 200*time.Millisecond) == nil {
		if err := v.fleet.Ended(); err != nil {
			return err
		}
		if err := v.update(v.rows(ctx)); err != nil && ctx.Err() == nil {
			return err
		}
	}
	printf(v.out, "\nStopping.")
	return nil
}

// update prints a table, or starts or ends a change of the number of replicas, if that is due.
func (v *view) update(rows []row) error {
	if v.target > 0 && changeDone(rows, v.target) {
		if err := v.finishChange(); err != nil {
			return err
		}
	}
	if replicas, ok := v.request(); ok {
		v.userScaled = true
		return v.scale(replicas, "")
	}
	if time.Since(v.lastTable) < v.every {
		return nil
	}
	printTable(v.out, time.Now(), rows, installation.Exported(v.cluster))
	v.lastTable = time.Now()
	v.tables++
	switch {
	case v.further == 0 || v.userScaled:
	case v.tables == scaleUpAfter:
		return v.scale(v.shards+v.further, "Each replica serves its old shard until all replicas hold the new ones.")
	case v.tables == scaleDownAfter:
		return v.scale(v.shards, "Replicas that leave serve until the others have taken over.")
	}
	return nil
}

// request returns the requested number of replicas, unless a change is in progress.
func (v *view) request() (replicas int, ok bool) {
	if v.target > 0 {
		return 0, false
	}
	select {
	case replicas = <-v.requests:
		return replicas, replicas != len(v.fleet.Replicas)
	default:
		return 0, false
	}
}

// scale starts a change of the number of replicas.
func (v *view) scale(target int, remark string) error {
	v.target, v.scalingSince = target, time.Now()
	printf(v.out, "\nScaling to %d replicas, as kubectl scale does. %s", v.target, remark)
	if err := v.install.Scale(v.target); err != nil {
		return err
	}
	grows := target > len(v.fleet.Replicas)
	if err := v.fleet.Resize(v.target); err != nil || !grows {
		return err
	}
	return v.companion.Follow(v.fleet.Replicas)
}

// finishChange waits for the end of the processes of replicas that have left, deletes their pods, and ends the change.
func (v *view) finishChange() error {
	printf(v.out, "\n%.1f s later the fleet switched to %d shards, all at one instant and without a restart.",
		time.Since(v.scalingSince).Seconds(), v.target)
	v.lastTable = time.Time{}
	v.fleet.WaitLeft()
	if err := v.install.RemovePods(v.target); err != nil {
		return err
	}
	v.target = 0
	return v.companion.Follow(v.fleet.Replicas)
}

// changeDone reports whether all replicas of the target are ready and have it as their number of active shards.
func changeDone(rows []row, target int) bool {
	return len(rows) >= target && !slices.ContainsFunc(rows[:target], func(r row) bool { return !r.ready || r.active != target })
}

func (v *view) rows(ctx context.Context) []row {
	var rows []row
	for _, r := range v.fleet.Replicas {
		rows = append(rows, measure(ctx, r))
	}
	return rows
}

// measure reads the self-metrics of a replica and scrapes it. The row is empty if that fails.
func measure(ctx context.Context, replica *fleet.Replica) row {
	self, err := replica.SelfMetrics(ctx)
	if err != nil {
		return row{}
	}
	const mega = 1e6
	r := row{
		ready:    self.Value(selfmetrics.Ready) == 1,
		active:   int(self.Value(selfmetrics.ActiveShards)),
		objects:  self.Value(selfmetrics.Objects),
		text:     self.Value(selfmetrics.TextBytes) / mega,
		held:     (self.Value(selfmetrics.CompressedBytes) + self.Value(selfmetrics.RawBytes)) / mega,
		resident: self.Value("process_resident_memory_bytes") / mega,
		decoded:  self.Value(selfmetrics.Updates, "result", "changed") + self.Value(selfmetrics.Updates, "result", "unchanged"),
		skipped:  self.Value(selfmetrics.ObjectsRead, "shard", selfmetrics.Ignored),
	}
	if !r.ready {
		return r
	}
	compressed, err := replica.Scrape(ctx, "gzip")
	if err != nil {
		return row{}
	}
	plain, err := replica.Scrape(ctx, "identity")
	if err != nil {
		return row{}
	}
	r.body, r.scrape, r.series = float64(compressed.Bytes)/mega, compressed.Took.Seconds()*1e3, float64(plain.Series)
	return r
}
