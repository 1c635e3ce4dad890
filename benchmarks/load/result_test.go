package main

import (
	"strings"
	"testing"
	"time"
)

// full is a run in which everything was measured, and everything is 1.
func full() *result {
	s := &scrapes{Count: 1, MinSeconds: 1, MedianSeconds: 1, P99Seconds: 1, CPUSeconds: 1, Bytes: 1, Series: 1, ChangeCPUSeconds: 1}
	c := &churn{Events: 1, EventsPerSecond: 1, CPUSeconds: 1, MicrosecondsPerEvent: 1, Gzip: s, IntervalCPUSeconds: 1}
	f := figures{
		SyncSeconds: 1, SyncCPUSeconds: 1, ReceivedBytes: 1, PeakMiB: 1, IdleMillis: 1, RestMiB: 1, ChurnMiB: 1,
		Gzip: s, Identity: s, OnePercent: s, Everything: s, Replaced: s, Churn: c,
	}
	return &result{Exporter: "own", PerShard: []figures{f}, Sum: f}
}

func TestScrapesAreSummedUp(t *testing.T) {
	var times []time.Duration
	for i := range 100 {
		times = append(times, time.Duration(100-i)*time.Second)
	}
	s := newScrapes(times, 50*time.Second)
	if s.Count != 100 || s.MinSeconds != 1 || s.MedianSeconds != 50 || s.P99Seconds != 99 || s.CPUSeconds != 0.5 {
		t.Errorf("%+v", s)
	}
	if s := newScrapes([]time.Duration{time.Second}, 0); s.MinSeconds != 1 || s.MedianSeconds != 1 || s.P99Seconds != 1 {
		t.Errorf("one scrape: %+v", s)
	}
	if times[0] != 100*time.Second {
		t.Error("the caller's list is sorted")
	}
}

func TestMedian(t *testing.T) {
	for want, values := range map[float64][]float64{5: {5}, 2: {3, 1, 2}, 2.5: {4, 1, 2, 3}} {
		if got := median(values); got != want {
			t.Errorf("%v: %g", values, got)
		}
	}
}

func TestSumOfShards(t *testing.T) {
	shard, other := full().Sum, full().Sum
	other.SyncSeconds = 3
	other.Churn = &churn{Events: 1, EventsPerSecond: 1, MicrosecondsPerEvent: 9}
	all := sum([]figures{shard, other})
	if all.SyncSeconds != 3 || all.SyncCPUSeconds != 2 || all.RestMiB != 2 {
		t.Errorf("%+v", all)
	}
	if g := all.Gzip; g.MedianSeconds != 1 || g.CPUSeconds != 2 || g.Bytes != 2 {
		t.Errorf("scrapes side by side: %+v", g)
	}
	if c := all.Churn; c.Events != 1 || c.MicrosecondsPerEvent != 10 {
		t.Errorf("events that all of them see: %+v", c)
	}
	if sum([]figures{{}}).Gzip != nil {
		t.Error("scrapes that no one made")
	}
}

// TestTargetsAreWhatIsAskedFor names the numbers of a two-core machine.
func TestTargetsAreWhatIsAskedFor(t *testing.T) {
	f := func(pods int, want map[string]float64) {
		t.Helper()
		found := map[string]target{}
		o := &outcome{Starts: [][]*result{{full()}, {full()}, {full()}, {full()}}, One: full(), Foreign: full()}
		for _, row := range o.judge(pods) {
			if _, ok := found[row.What]; ok {
				t.Errorf("%s: twice", row.What)
			}
			if row.Met != (row.Value <= row.Target) {
				t.Errorf("%+v", row)
			}
			found[row.What] = row
		}
		for what, limit := range want {
			if got := found[what].Target; got < limit*0.999 || got > limit*1.001 {
				t.Errorf("%d pods, %s: %g, want %g", pods, what, got, limit)
			}
		}
	}
	f(20_000, map[string]float64{
		"gzip scrape, nothing changed: CPU":                           52,
		"gzip scrape, nothing changed: time, median":                  60,
		"gzip scrape, 1 % of the objects changed: CPU":                173.33,
		"gzip scrape, churn, packing between scrapes counted in: CPU": 260,
		"gzip scrape, every object replaced: CPU":                     3640,
		"gzip body":                          48.5,
		"identity scrape: CPU":               710,
		"resident memory, at rest":           160,
		"resident memory, peak until synced": 182.9,
		"first sync, one: CPU":               2.72,
		"first sync, 1 of 4: CPU":            0.6333,
		"CPU for an event, not owned":        6,
	})
	f(100_000, map[string]float64{
		"gzip scrape, nothing changed: CPU":          310,
		"gzip scrape, nothing changed: time, median": 300,
		"resident memory, at rest":                   600,
	})
	f(2_000, map[string]float64{"resident memory, at rest": 16, "CPU for an event, not owned": 6})
}

func TestComparisonHasRatios(t *testing.T) {
	other := full()
	other.Exporter = "other"
	other.Sum.RestMiB = 3
	other.Sum.OnePercent = nil
	var b strings.Builder
	(&comparison{Own: []*result{full(), full()}, Other: []*result{other, other}}).write(&b)
	if !strings.Contains(b.String(), "| resident memory, at rest") || !strings.Contains(b.String(), "| 3.00 ") {
		t.Errorf("no ratio of 3 in\n%s", &b)
	}
	if strings.Contains(b.String(), "1 % changed") {
		t.Errorf("a ratio of what only one has in\n%s", &b)
	}
	width := 0
	for line := range strings.Lines(b.String()) {
		if len(line) < 2 {
			continue
		}
		if width > 0 && len(line) != width {
			t.Errorf("columns do not line up: %q", line)
		}
		width = len(line)
	}
}
