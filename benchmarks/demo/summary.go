package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// row is what the summary says of one shard.
type row struct {
	ready                    bool
	objects, raw, packed     float64
	resident                 float64
	series, body             int64
	scrape                   time.Duration
	owned, ignored, received float64
}

// watch prints a summary now and then until ctx ends or a shard does.
func (f *fleet) watch(ctx context.Context, o options, out io.Writer, start time.Time) error {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	ready := false
	for {
		select {
		case <-ctx.Done():
			say(out, "\nStopping.")
			return nil
		case err := <-f.failed:
			return err
		case <-tick.C:
		}
		rows := make([]row, len(f.shards))
		all := true
		for i, s := range f.shards {
			rows[i] = s.look(ctx)
			all = all && rows[i].ready
		}
		switch {
		case ready:
			f.print(out, rows)
		case all:
			ready = true
			say(out, "All shards are ready %.1f s after the start.", time.Since(start).Seconds())
			f.urls(out, o)
			f.print(out, rows)
			tick.Reset(o.every)
		}
	}
}

func (f *fleet) urls(out io.Writer, o options) {
	say(out, "")
	for i, s := range f.shards {
		say(out, "  shard %d of %d   metrics %s/metrics   itself %s/metrics", i, o.shards, s.metrics, s.telemetry)
	}
	say(out, "\nOn a cluster of yours, one shard of three:")
	say(out, "  %s --kubeconfig ~/.kube/config --shard=0 --total-shards=3", o.binary)
	say(out, "and in it: kubectl apply -k manifests/base. Ctrl-C ends the demo.")
}

func (f *fleet) print(out io.Writer, rows []row) {
	say(out, "\n%s   shard  ready   objects    series  text MB  held MB  gzip MB  scrape ms  resident MB  decoded  skipped", time.Now().Format(time.TimeOnly))
	const mega = 1e6
	var sum row
	line := func(name string, r row) {
		say(out, "%10s %6s  %5v  %8.0f  %8d  %7.1f  %7.1f  %7.2f  %9.1f  %11.0f  %7.0f  %7.0f", "", name, r.ready, r.objects, r.series,
			r.raw/mega, r.packed/mega, float64(r.body)/mega, float64(r.scrape.Microseconds())/1000, r.resident/mega, r.owned, r.ignored)
	}
	sum.ready = true
	for i, r := range rows {
		line(fmt.Sprint(i), r)
		sum.ready = sum.ready && r.ready
		sum.objects += r.objects
		sum.series += r.series
		sum.raw += r.raw
		sum.packed += r.packed
		sum.body += r.body
		sum.resident += r.resident
		sum.owned += r.owned
		sum.ignored += r.ignored
		sum.scrape = max(sum.scrape, r.scrape)
	}
	line("fleet", sum)
}

// look asks a shard how it is, and scrapes it as Prometheus would.
func (s *shardProcess) look(ctx context.Context) row {
	var r row
	families, err := s.telemetryFamilies(ctx)
	if err != nil {
		return r
	}
	total := func(name string, labels ...string) float64 { return sumOf(families[name], labels...) }
	r.ready = total("statefleet_ready") == 1
	r.objects = total("statefleet_objects")
	r.raw = total("statefleet_page_text_bytes")
	r.packed = total("statefleet_page_packed_bytes") + total("statefleet_page_raw_bytes")
	r.resident = total("process_resident_memory_bytes")
	r.owned = total("statefleet_objects_processed_total", "outcome", "rendered")
	r.ignored = total("statefleet_watch_objects_total", "shard", "ignored")
	if r.ready {
		r.series = s.series(ctx)
		r.body, r.scrape = s.scrape(ctx)
	}
	return r
}

func (s *shardProcess) telemetryFamilies(ctx context.Context) (map[string]*dto.MetricFamily, error) {
	body, err := get(ctx, s.telemetry+"/metrics", "identity")
	if err != nil {
		return nil, err
	}
	defer func() { _ = body.Close() }()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	return parser.TextToMetricFamilies(body)
}

func sumOf(f *dto.MetricFamily, labels ...string) float64 {
	sum := 0.0
	for _, m := range f.GetMetric() {
		match := len(labels) == 0
		for _, l := range m.GetLabel() {
			match = match || l.GetName() == labels[0] && l.GetValue() == labels[1]
		}
		if match {
			sum += m.GetGauge().GetValue() + m.GetCounter().GetValue() + m.GetUntyped().GetValue()
		}
	}
	return sum
}

// series counts the sample lines of a page.
func (s *shardProcess) series(ctx context.Context) int64 {
	body, err := get(ctx, s.metrics+"/metrics", "identity")
	if err != nil {
		return 0
	}
	defer func() { _ = body.Close() }()
	var c lineCounter
	if _, err = io.Copy(&c, body); err != nil {
		return 0
	}
	return c.samples
}

// lineCounter counts lines that don't begin with #.
type lineCounter struct {
	samples int64
	inLine  bool
}

// Write implements io.Writer.
func (c *lineCounter) Write(p []byte) (int, error) {
	for _, b := range p {
		if !c.inLine && b != '#' {
			c.samples++
		}
		c.inLine = b != '\n'
	}
	return len(p), nil
}

// scrape takes the page compressed and says how long it was and took.
func (s *shardProcess) scrape(ctx context.Context) (int64, time.Duration) {
	start := time.Now()
	body, err := get(ctx, s.metrics+"/metrics", "gzip")
	if err != nil {
		return 0, 0
	}
	defer func() { _ = body.Close() }()
	n, _ := io.Copy(io.Discard, body)
	return n, time.Since(start)
}

func get(ctx context.Context, url, encoding string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept-Encoding", encoding)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("%s answers %s", url, resp.Status)
	}
	return resp.Body, nil
}
