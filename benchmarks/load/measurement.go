package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/benchmarks/simulator"
)

const mebi = 1 << 20

// result is what one run found. Figures are of the first shard.
type result struct {
	Pods, Objects, Shards int

	Series       int64
	TextBytes    int64
	GzipBytes    int64
	ReadySeconds float64
	ReadyCPU     float64 // seconds
	PeakMiB      float64 // resident, from start to ready
	ReceivedMB   float64 // from the API server until ready
	Steady       memory

	Gzip         scrape // nothing changed since the last
	Identity     scrape
	StandardGzip scrape  // the same text through compress/gzip, in this process
	ScrapeRatio  float64 // CPU of StandardGzip over that of Gzip
	Churn        *churn  `json:",omitempty"`
}

// memory is resident memory once pages are packed, and a third of the text
// plus 60 MiB to compare it with.
type memory struct{ ResidentMiB, ThirdOfTextMiB float64 }

// scrape is the mean of several scrapes.
type scrape struct{ Seconds, CPUSeconds float64 }

// churn is what a changing cluster costs.
type churn struct {
	Events, EventsPerSecond float64
	CPUSeconds              float64 // scrapes not counted in
	MicrosecondsPerEvent    float64
	GzipScrape              scrape // under churn, every few seconds
	ResidentMiB             float64
}

type measurement struct {
	options
	cluster  *simulator.Cluster
	fleet    *fleet.Fleet
	progress io.Writer
	start    time.Time
}

func (m *measurement) run(ctx context.Context) (*result, error) {
	shard := m.fleet.Shards[0]
	r := &result{Pods: m.pods, Objects: m.cluster.Len(), Shards: m.shards}
	self, err := m.waitReady(ctx)
	if err != nil {
		return nil, err
	}
	r.ReadySeconds = time.Since(m.start).Seconds()
	r.ReadyCPU = cpu(self)
	r.PeakMiB = peakMiB(shard.PID)
	r.ReceivedMB = self.Sum("statefleet_watch_received_bytes_total") / 1e6
	m.say("ready in %.1f s, %.1f CPU-s, peak %.0f MiB", r.ReadySeconds, r.ReadyCPU, r.PeakMiB)

	if err := sleep(ctx, m.settle); err != nil {
		return nil, err
	}
	if r.Gzip, err = m.meanScrape(ctx, shard, "gzip"); err != nil {
		return nil, err
	}
	if self, err = shard.Self(ctx); err != nil {
		return nil, err
	}
	r.Steady.ResidentMiB = self.Sum("process_resident_memory_bytes") / mebi
	if r.Identity, err = m.meanScrape(ctx, shard, "identity"); err != nil {
		return nil, err
	}
	if err := m.page(ctx, shard, r); err != nil {
		return nil, err
	}
	r.Steady.ThirdOfTextMiB = float64(r.TextBytes)/3/mebi + 60
	r.ScrapeRatio = r.StandardGzip.CPUSeconds / max(r.Gzip.CPUSeconds, 1e-4)
	m.say("steady %.0f MiB; gzip scrape %.1f ms CPU, %.0f times less than compress/gzip", r.Steady.ResidentMiB, r.Gzip.CPUSeconds*1e3, r.ScrapeRatio)
	if m.churnFor > 0 {
		if r.Churn, err = m.churn(ctx, shard); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (m *measurement) say(format string, args ...any) {
	_, _ = fmt.Fprintf(m.progress, format+"\n", args...)
}

func (m *measurement) waitReady(ctx context.Context) (fleet.Self, error) {
	for {
		select {
		case err := <-m.fleet.Failed():
			return fleet.Self{}, err
		default:
		}
		ready := true
		var first fleet.Self
		for i, s := range m.fleet.Shards {
			self, err := s.Self(ctx)
			ready = ready && err == nil && self.Ready()
			if i == 0 {
				first = self
			}
		}
		if ready {
			return first, nil
		}
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return fleet.Self{}, err
		}
	}
}

// meanScrape scrapes several times and returns the mean; one before them does
// what is left to do since the last change.
func (m *measurement) meanScrape(ctx context.Context, s *fleet.Shard, encoding string) (scrape, error) {
	if _, err := s.Scrape(ctx, encoding); err != nil {
		return scrape{}, err
	}
	before, err := s.Self(ctx)
	if err != nil {
		return scrape{}, err
	}
	var took time.Duration
	for range m.scrapes {
		one, err := s.Scrape(ctx, encoding)
		if err != nil {
			return scrape{}, err
		}
		took += one.Took
	}
	after, err := s.Self(ctx)
	n := float64(m.scrapes)
	return scrape{took.Seconds() / n, (cpu(after) - cpu(before)) / n}, err
}

// page takes the page once more, for its sizes and for the comparison.
func (m *measurement) page(ctx context.Context, s *fleet.Shard, r *result) error {
	packed, err := s.Scrape(ctx, "gzip")
	if err != nil {
		return err
	}
	plain, err := s.Scrape(ctx, "identity")
	if err != nil {
		return err
	}
	r.GzipBytes, r.TextBytes, r.Series = packed.Bytes, plain.Bytes, plain.Series
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Metrics, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		return err
	}
	var out bytes.Buffer
	start, used := time.Now(), ownCPU()
	z := gzip.NewWriter(&out)
	if _, err := z.Write(text); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	r.StandardGzip = scrape{time.Since(start).Seconds(), ownCPU() - used}
	return nil
}

// churn lets the cluster change for a while, with a scrape every few seconds.
func (m *measurement) churn(ctx context.Context, s *fleet.Shard) (*churn, error) {
	ctx, cancel := context.WithTimeout(ctx, m.churnFor)
	defer cancel()
	done := make(chan error, 1)
	before, err := s.Self(ctx)
	if err != nil {
		return nil, err
	}
	go func() {
		done <- simulator.Churn{JobsPerSecond: m.jobs, StatusUpdatesPerSecond: m.updates, Seed: m.seed}.Run(ctx, m.cluster)
	}()
	const every = 10 * time.Second
	c := &churn{}
	var n, scrapeCPU float64
	last := before
	for sleep(ctx, every) == nil {
		one, err := m.scrapeOnce(ctx, s)
		if err != nil {
			break
		}
		n++
		scrapeCPU += one.CPUSeconds
		c.GzipScrape.Seconds += one.Seconds
		if last, err = s.Self(ctx); err != nil {
			break
		}
	}
	if err := <-done; err != nil && ctx.Err() == nil {
		return nil, err
	}
	if n == 0 {
		return nil, fmt.Errorf("--churn: no scrape in %s", m.churnFor)
	}
	c.GzipScrape = scrape{c.GzipScrape.Seconds / n, scrapeCPU / n}
	c.Events = last.Sum("statefleet_watch_objects_total") - before.Sum("statefleet_watch_objects_total")
	c.EventsPerSecond = c.Events / (n * every.Seconds())
	c.CPUSeconds = cpu(last) - cpu(before) - scrapeCPU
	c.MicrosecondsPerEvent = c.CPUSeconds / max(c.Events, 1) * 1e6
	c.ResidentMiB = last.Sum("process_resident_memory_bytes") / mebi
	return c, nil
}

// scrapeOnce is a single gzip scrape with what it cost.
func (m *measurement) scrapeOnce(ctx context.Context, s *fleet.Shard) (scrape, error) {
	before, err := s.Self(ctx)
	if err != nil {
		return scrape{}, err
	}
	one, err := s.Scrape(ctx, "gzip")
	if err != nil {
		return scrape{}, err
	}
	after, err := s.Self(ctx)
	return scrape{one.Took.Seconds(), cpu(after) - cpu(before)}, err
}

func cpu(s fleet.Self) float64 { return s.Sum("process_cpu_seconds_total") }

// ownCPU is the CPU time of this process, in seconds.
func ownCPU() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// peakMiB is the highest resident memory that the kernel saw of a process; 0
// where the kernel does not say.
func peakMiB(pid int) float64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 64)
			if err != nil {
				return 0
			}
			return kib / 1024
		}
	}
	return 0
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
