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

// The fleet is scaled after so many tables.
const (
	growsAfter   = 2
	shrinksAfter = 5
)

// row is one shard's line of the table.
type row struct {
	ready  bool
	active int // shards that it serves by
	// See columns for these.
	objects, series, text, held, body, scrape, resident, decoded, skipped float64
}

// view shows the fleet, and scales it.
type view struct {
	*options
	cluster *simulator.Cluster
	fleet   *fleet.Fleet
	install *installation.Installation
	asked   wishes
	out     io.Writer
	start   time.Time

	shown   time.Time // the last table
	tables  int
	target  int       // shards after the change in progress; 0 when there is none
	steered bool      // a user has requested a number of replicas: the demo no longer scales by itself
	scaling time.Time // since when it is in progress
}

// watch shows tables and what happens in between, until ctx ends or a shard does.
func (v *view) watch(ctx context.Context) error {
	if err := v.fleet.WaitReady(ctx, fleet.Patience); err != nil && ctx.Err() == nil {
		return err
	}
	say(v.out, "All shards are ready %.1f s after the start.\n", time.Since(v.start).Seconds())
	for i, r := range v.fleet.Replicas {
		say(v.out, "  shard %d of %d   metrics %s/metrics   status page %s/", i, v.shards, r.URL, r.Telemetry)
	}
	say(v.out, "\nOn your own cluster, one process for all objects, or the first of three shards, is started by")
	say(v.out, "  %s --kubeconfig ~/.kube/config", *v.binary)
	say(v.out, "  %s --kubeconfig ~/.kube/config --shard=0 --total-shards=3", *v.binary)
	say(v.out, "README.md says how to install a fleet in it.")
	if v.further > 0 {
		say(v.out, "The demo will scale its fleet.")
	}
	say(v.out, "Ctrl-C ends it.")
	explain(v.out)
	for fleet.Pause(ctx, 200*time.Millisecond) == nil {
		if err := v.fleet.Ended(); err != nil {
			return err
		}
		if err := v.show(v.rows(ctx)); err != nil && ctx.Err() == nil {
			return err
		}
	}
	say(v.out, "\nStopping.")
	return nil
}

// show prints the state, and scales the fleet when it is time.
func (v *view) show(rows []row) error {
	if v.target > 0 && changedOver(rows, v.target) {
		if err := v.changed(); err != nil {
			return err
		}
	}
	if replicas, ok := v.wish(); ok {
		v.steered = true
		return v.scale(replicas, "")
	}
	if time.Since(v.shown) < v.every {
		return nil
	}
	table(v.out, time.Now(), rows, installation.Exported(v.cluster))
	v.shown = time.Now()
	v.tables++
	switch {
	case v.further == 0 || v.steered:
	case v.tables == growsAfter:
		return v.scale(v.shards+v.further, "Each serves its old part until all hold the new one.")
	case v.tables == shrinksAfter:
		return v.scale(v.shards, "Replicas that leave serve until the others have taken over.")
	}
	return nil
}

// wish is the requested number of replicas, once no change is in progress.
func (v *view) wish() (replicas int, ok bool) {
	if v.target > 0 {
		return 0, false
	}
	select {
	case replicas = <-v.asked:
		return replicas, replicas != len(v.fleet.Replicas)
	default:
		return 0, false
	}
}

// scale begins a change of the number of replicas.
func (v *view) scale(target int, remark string) error {
	v.target, v.scaling = target, time.Now()
	say(v.out, "\nScaling to %d replicas, as kubectl scale does. %s", v.target, remark)
	if err := v.install.Scale(v.target); err != nil {
		return err
	}
	grows := target > len(v.fleet.Replicas)
	if err := v.fleet.Resize(v.target); err != nil || !grows {
		return err
	}
	return v.companion.Follow(v.fleet.Replicas)
}

// changed ends a change, once the processes of the replicas that left have ended.
func (v *view) changed() error {
	say(v.out, "\n%.1f s later the fleet switched to %d shards, all at one instant and without a restart.",
		time.Since(v.scaling).Seconds(), v.target)
	v.shown = time.Time{}
	v.fleet.WaitLeft()
	if err := v.install.RemovePods(v.target); err != nil {
		return err
	}
	v.target = 0
	return v.companion.Follow(v.fleet.Replicas)
}

// changedOver reports whether all shards of the target are ready and serve by it.
func changedOver(rows []row, target int) bool {
	return len(rows) >= target && !slices.ContainsFunc(rows[:target], func(r row) bool { return !r.ready || r.active != target })
}

func (v *view) rows(ctx context.Context) []row {
	var rows []row
	for _, r := range v.fleet.Replicas {
		rows = append(rows, look(ctx, r))
	}
	return rows
}

// look reads a shard's self-metrics, and scrapes it as Prometheus would.
func look(ctx context.Context, replica *fleet.Replica) row {
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
	packed, err := replica.Scrape(ctx, "gzip")
	if err != nil {
		return row{}
	}
	plain, err := replica.Scrape(ctx, "identity")
	if err != nil {
		return row{}
	}
	r.body, r.scrape, r.series = float64(packed.Bytes)/mega, packed.Took.Seconds()*1e3, float64(plain.Series)
	return r
}
