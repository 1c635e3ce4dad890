package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/statefleet/statefleet/benchmarks/fleet"
)

// row is what the summary says of one shard.
type row struct {
	ready           bool
	objects         float64
	text, held      float64 // bytes
	resident        float64 // bytes
	decoded, others float64
	series, body    int64
	scrape          time.Duration
}

// watch prints a summary now and then until ctx ends or a shard does.
func watch(ctx context.Context, f *fleet.Fleet, o options, out io.Writer, start time.Time) error {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	ready := false
	for {
		select {
		case <-ctx.Done():
			say(out, "\nStopping.")
			return nil
		case err := <-f.Failed():
			return err
		case <-tick.C:
		}
		rows := make([]row, len(f.Shards))
		all := true
		for i, s := range f.Shards {
			rows[i] = look(ctx, s)
			all = all && rows[i].ready
		}
		switch {
		case ready && ctx.Err() == nil:
			summary(out, rows)
		case all:
			ready = true
			say(out, "All shards are ready %.1f s after the start.", time.Since(start).Seconds())
			urls(out, f, o)
			summary(out, rows)
			tick.Reset(o.every)
		}
	}
}

// look asks a shard how it is, and scrapes it as Prometheus would.
func look(ctx context.Context, s *fleet.Shard) row {
	self, err := s.Self(ctx)
	if err != nil {
		return row{}
	}
	r := row{
		ready:    self.Ready(),
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

func urls(out io.Writer, f *fleet.Fleet, o options) {
	say(out, "")
	for i, s := range f.Shards {
		say(out, "  shard %d of %d   metrics %s   itself %s", i, o.shards, s.Metrics, s.Telemetry)
	}
	say(out, "\nOn a cluster of yours, the first shard of three:")
	say(out, "  %s --kubeconfig ~/.kube/config --shard=0 --total-shards=3", o.binary)
	say(out, "and in it: kubectl apply -k manifests/base. Ctrl-C ends the demo.")
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
