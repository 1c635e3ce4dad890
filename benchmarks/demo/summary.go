package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/statefleet/statefleet/benchmarks/fleet"
)

// row is what the summary says of one shard.
type row struct {
	ready           bool
	active          int // shards that it serves by
	objects         float64
	text, held      float64 // bytes
	resident        float64 // bytes
	decoded, others float64
	series, body    int64
	scrape          time.Duration
}

// The fleet is scaled after so many summaries.
const (
	growsAfter   = 2
	shrinksAfter = 5
)

// watch shows the fleet until ctx ends or a shard does: a summary now and then, and what happens when it is scaled.
func watch(ctx context.Context, f *scaled, o options, out io.Writer, start time.Time) error {
	probe := time.NewTicker(200 * time.Millisecond)
	defer probe.Stop()
	v := view{fleet: f, options: o, out: out, start: start}
	for {
		select {
		case <-ctx.Done():
			say(out, "\nStopping.")
			return nil
		case err := <-f.base.Failed():
			return err
		case <-probe.C:
		}
		if err := f.settle(); err != nil {
			return err
		}
		rows := make([]row, 0, o.shards+o.further)
		for _, s := range f.shards() {
			rows = append(rows, look(ctx, s))
		}
		if ctx.Err() != nil { // what is seen while it stops means nothing
			continue
		}
		if err := v.show(ctx, rows); err != nil {
			return err
		}
	}
}

// view is what has been shown so far.
type view struct {
	fleet     *scaled
	options   options
	out       io.Writer
	start     time.Time
	shown     time.Time // the last summary
	summaries int
	scaling   time.Time // since when the fleet changes over; zero when it does not
	target    int
}

// show prints the state, and scales the fleet when it is time.
func (v *view) show(ctx context.Context, rows []row) error {
	if v.summaries == 0 && !allReady(rows) {
		return nil
	}
	if v.summaries == 0 {
		say(v.out, "All shards are ready %.1f s after the start.", time.Since(v.start).Seconds())
		urls(v.out, v.fleet, v.options)
	}
	if !v.scaling.IsZero() && v.fleet.left == nil && changedOver(rows, v.target) {
		say(v.out, "\nAll serve by %d shards %.1f s later. They changed over at one instant, and none was restarted.", v.target, time.Since(v.scaling).Seconds())
		v.scaling = time.Time{}
		v.shown = time.Time{}
	}
	if v.fleet.left != nil || time.Since(v.shown) < v.options.every {
		return nil
	}
	summary(v.out, rows)
	v.shown = time.Now()
	v.summaries++
	return v.act(ctx)
}

// act scales the fleet up once, and down again.
func (v *view) act(ctx context.Context) error {
	switch {
	case v.options.further == 0:
		return nil
	case v.summaries == growsAfter:
		v.target, v.scaling = v.options.shards+v.options.further, time.Now()
		say(v.out, "\nScaling to %d replicas, as kubectl scale does. Each serves its old part until all hold the new one.", v.target)
		return v.fleet.grow(ctx, v.options.further)
	case v.summaries == shrinksAfter:
		v.target, v.scaling = v.options.shards, time.Now()
		say(v.out, "\nScaling back to %d. Those that leave serve until the others have taken over.", v.target)
		return v.fleet.shrink()
	}
	return nil
}

func allReady(rows []row) bool {
	return !slices.ContainsFunc(rows, func(r row) bool { return !r.ready })
}

// changedOver tells whether all shards serve by the target.
func changedOver(rows []row, target int) bool {
	serving := 0
	for _, r := range rows {
		if r.ready && r.active != target {
			return false
		}
		if r.ready {
			serving++
		}
	}
	return serving >= target
}

// look asks a shard how it is, and scrapes it as Prometheus would.
func look(ctx context.Context, s *fleet.Shard) row {
	self, err := s.Self(ctx)
	if err != nil {
		return row{}
	}
	r := row{
		ready:    self.Ready(),
		active:   int(self.Sum("statefleet_topology_active_shards")),
		objects:  self.Sum("statefleet_objects"),
		text:     self.Sum("statefleet_page_text_bytes"),
		held:     self.Sum("statefleet_page_packed_bytes") + self.Sum("statefleet_page_raw_bytes"),
		resident: self.Sum("process_resident_memory_bytes"),
		decoded:  self.Sum("statefleet_objects_processed_total", "outcome", "rendered"),
		others:   self.Sum("statefleet_watch_objects_total", "shard", "ignored"),
	}
	if !r.ready {
		return r
	}
	packed, err := s.Scrape(ctx, "gzip")
	if err != nil {
		return row{}
	}
	plain, err := s.Scrape(ctx, "identity")
	if err != nil {
		return row{}
	}
	r.body, r.scrape, r.series = packed.Bytes, packed.Took, plain.Series
	return r
}

func urls(out io.Writer, f *scaled, o options) {
	say(out, "")
	for i, s := range f.shards() {
		say(out, "  shard %d of %d   metrics %s   its page, for people %s", i, o.shards, s.Metrics, strings.TrimSuffix(s.Telemetry, "metrics"))
	}
	say(out, "\nOn a cluster of yours, the first shard of three:")
	say(out, "  %s --kubeconfig ~/.kube/config --shard=0 --total-shards=3", o.binary)
	say(out, "and in it: kubectl apply -k manifests/base. Ctrl-C ends the demo. Soon it scales its fleet.")
}

func summary(out io.Writer, rows []row) {
	const mega = 1e6
	line := func(name string, r row) {
		say(out, "%8s  %-5v  %7.0f  %8d  %7.1f  %7.1f  %7.2f  %9.1f  %11.0f  %7.0f  %7.0f", name, r.ready, r.objects, r.series,
			r.text/mega, r.held/mega, float64(r.body)/mega, float64(r.scrape.Microseconds())/1000, r.resident/mega, r.decoded, r.others)
	}
	say(out, "\n%s  ready  objects    series  text MB  held MB  gzip MB  scrape ms  resident MB  decoded  skipped", time.Now().Format(time.TimeOnly))
	sum := row{ready: true}
	for i, r := range rows {
		line(fmt.Sprint("shard ", i), r)
		sum.ready = sum.ready && r.ready
		sum.objects += r.objects
		sum.series += r.series
		sum.text += r.text
		sum.held += r.held
		sum.body += r.body
		sum.resident += r.resident
		sum.decoded += r.decoded
		sum.others += r.others
		sum.scrape = max(sum.scrape, r.scrape)
	}
	line("fleet", sum)
}
