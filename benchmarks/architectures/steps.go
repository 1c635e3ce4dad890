package main

import (
	"bufio"
	"cmp"
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/benchmarks/simulator/generator"
)

const mebi = 1 << 20

// usages reads all processes at once.
func usages(subjects []*subject) ([]fleet.Usage, error) {
	var all []fleet.Usage
	for _, s := range subjects {
		u, err := s.shard.Usage()
		if err != nil {
			return nil, err
		}
		all = append(all, u)
	}
	return all, nil
}

// during measures the CPU that each uses while something runs, in seconds.
func during(subjects []*subject, run func() error) (cpu []float64, took time.Duration, err error) {
	before, err := usages(subjects)
	if err != nil {
		return nil, 0, err
	}
	start := time.Now()
	if err := run(); err != nil {
		return nil, 0, err
	}
	took = time.Since(start)
	after, err := usages(subjects)
	for i := range after {
		cpu = append(cpu, (after[i].CPU - before[i].CPU).Seconds())
	}
	return cpu, took, err
}

// rest measures scrapes and memory when nothing changes.
func (m measurement) rest(ctx context.Context, subjects []*subject) error {
	idle, took, err := during(subjects, func() error { return pause(ctx, m.settle) })
	if err != nil {
		return err
	}
	for i, s := range subjects {
		s.IdleMillis = idle[i] * 1e3 / took.Seconds()
	}
	const scrapes = 3
	for range scrapes { // memory is that of an exporter that is used
		for _, s := range subjects {
			if _, err := s.shard.Scrape(ctx, "gzip"); err != nil {
				return err
			}
		}
		if err := pause(ctx, m.every); err != nil {
			return err
		}
	}
	used, err := usages(subjects)
	if err != nil {
		return err
	}
	for i, s := range subjects {
		s.RestMiB, s.PeakMiB = float64(used[i].Resident)/mebi, float64(used[i].Peak)/mebi
		if err := m.scrape(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// scrape measures scrapes, one after the other.
func (m measurement) scrape(ctx context.Context, s *subject) error {
	const atLeast = 2 * time.Second // the kernel counts CPU in steps of 10 ms
	n := 0
	cpu, took, err := during([]*subject{s}, func() error {
		for start := time.Now(); n < m.scrapes || time.Since(start) < atLeast; n++ {
			if _, err := s.shard.Scrape(ctx, "gzip"); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.ScrapeMillis = took.Seconds() * 1e3 / float64(n)
	s.ScrapeCPUMillis = (cpu[0]*1e3 - s.IdleMillis*took.Seconds()) / float64(n)
	s.Series, err = s.series(ctx)
	s.FewestSeries = s.Series
	return err
}

// series is the most of several pages, some of which may lack what is not copied yet.
func (s *subject) series(ctx context.Context) (most int64, err error) {
	const pages = 3
	for range pages {
		plain, err := s.shard.Scrape(ctx, "identity")
		if err != nil {
			return 0, err
		}
		most = max(most, plain.Series)
	}
	return most, nil
}

// staleness restarts a container again and again, and looks how long ago the
// count that a page shows was overtaken by the next when the scrape began.
func (m measurement) staleness(ctx context.Context, subjects []*subject) error {
	h := &history{}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() {
		defer cancel() // without changes there is nothing to look at
		done <- m.restart(ctx, h)
	}()
	var err error
	for _, s := range subjects {
		for start := time.Now(); err == nil && time.Since(start) < m.follow; {
			err = s.follow(ctx, h)
		}
	}
	cancel()
	return cmp.Or(<-done, err)
}

// restart counts the restarts of a container up until ctx ends.
func (m measurement) restart(ctx context.Context, h *history) error {
	const every = 20 * time.Millisecond
	name := m.cluster.Names("pods")[0]
	for pause(ctx, every) == nil {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name}}
		if err := m.cluster.Modify(pod, func() { pod.Status.ContainerStatuses[0].RestartCount = h.next() }); err != nil {
			return err
		}
		h.changed()
	}
	return nil
}

// follow takes one page, of which it counts the series, too.
func (s *subject) follow(ctx context.Context, h *history) error {
	started := time.Now()
	lines, err := page(ctx, s.shard.Metrics)
	if err != nil {
		return err
	}
	n := int64(len(lines))
	s.Series, s.FewestSeries = max(s.Series, n), min(s.FewestSeries, n)
	if shown := restarts(lines); shown >= firstRestarts {
		s.StaleSeconds = max(s.StaleSeconds, h.age(shown, started).Seconds())
	}
	return nil
}

// restarts is the largest count on a page.
func restarts(lines []string) (most int32) {
	for _, line := range lines {
		if name, value, ok := strings.Cut(line, "} "); ok && strings.HasPrefix(name, "kube_pod_container_status_restarts_total{") {
			if v, err := strconv.ParseFloat(value, 64); err == nil {
				most = max(most, int32(v))
			}
		}
	}
	return most
}

// page returns the samples of a page.
func page(ctx context.Context, url string) ([]string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	var samples []string
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if !strings.HasPrefix(lines.Text(), "#") {
			samples = append(samples, lines.Text())
		}
	}
	return samples, lines.Err()
}

// growth lets many Jobs come and go, and counts what is left of them.
func (m *measurement) growth(ctx context.Context, subjects []*subject) error {
	version := m.cluster.ResourceVersion()
	cpu, took, err := during(subjects, func() error {
		churning, cancel := context.WithTimeout(ctx, m.churn)
		defer cancel()
		c := generator.Churn{JobsPerSecond: m.jobs, JobRuns: 2 * time.Second, JobStays: 12 * time.Second, Tidy: true, Seed: 3}
		return c.Run(churning, m.cluster)
	})
	if err != nil {
		return err
	}
	m.events = float64(m.cluster.ResourceVersion()-version) / took.Seconds()
	if err := pause(ctx, m.settle); err != nil {
		return err
	}
	for i, s := range subjects {
		s.BusyMillis = cpu[i] * 1e3 / took.Seconds()
		left, err := s.series(ctx)
		if err != nil {
			return err
		}
		s.GoneSeries = left - s.Series
		u, err := s.shard.Usage()
		if err != nil {
			return err
		}
		s.AfterMiB = float64(u.Resident) / mebi
	}
	return nil
}
