package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/benchmarks/simulator"
)

// architecture is one of those that are compared.
type architecture struct {
	name    string
	command fleet.Command
}

func architectures(self, binary string) []architecture {
	serve := func(as string) fleet.Command {
		return fleet.Command{self, "serve", "--as=" + as, "--kubeconfig={{.Kubeconfig}}", "--port={{.Port}}"}
	}
	return []architecture{
		{"cache, copied into a registry every 10 s", serve(asRegistry)},
		{"the same, registry cleared before each copy", serve(asCleared)},
		{"cache, collected for each scrape", serve(asCollector)},
		{"statefleet", fleet.Default(binary, "--resources=pods,jobs", "--metric-allowlist=^("+strings.Join(names(), "|")+")$")},
	}
}

// row is what is found of one architecture.
type row struct {
	Name   string
	Series int64
	// RestMiB stays resident when nothing changes and a scrape comes now and then,
	// PeakMiB was the most from the start until then.
	RestMiB, PeakMiB float64
	IdleMillis       float64 // CPU a second when nothing happens
	ScrapeMillis     float64 // mean, gzip
	ScrapeCPUMillis  float64 // mean
	StaleSeconds     float64 // the longest of several
	FewestSeries     int64   // on any page while nothing was deleted
	BusyMillis       float64 // CPU a second while Jobs come and go
	GoneSeries       int64   // series that are left of objects that are gone
	AfterMiB         float64 // resident when they are gone
}

// subject is an architecture while it runs.
type subject struct {
	architecture
	row
	shard  *fleet.Shard
	server *simulator.Server
	fleet  *fleet.Fleet
	cancel context.CancelFunc
}

type measurement struct {
	options
	cluster  *simulator.Cluster
	progress io.Writer
	events   float64 // a second, while Jobs came and went
}

// measure runs all of them side by side, so that they wait together. What is
// timed is done by one after the other.
func (m *measurement) measure(ctx context.Context, all []architecture) ([]row, error) {
	dir, err := os.MkdirTemp("", "statefleet-architectures-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	var subjects []*subject
	defer func() {
		for _, s := range subjects {
			s.stop()
		}
	}()
	for i, a := range all {
		s, err := m.start(ctx, a, filepath.Join(dir, fmt.Sprint(i)))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a.name, err)
		}
		subjects = append(subjects, s)
	}
	for _, step := range []struct {
		name string
		run  func(context.Context, []*subject) error
	}{{"memory and scrapes", m.rest}, {"staleness", m.staleness}, {"objects that come and go", m.growth}} {
		_, _ = fmt.Fprintln(m.progress, step.name)
		if err := step.run(ctx, subjects); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", step.name, err), ended(subjects))
		}
	}
	var rows []row
	for _, s := range subjects {
		rows = append(rows, s.row)
	}
	return rows, nil
}

// ended is why processes have ended before they were told to.
func ended(subjects []*subject) error {
	var all []error
	for _, s := range subjects {
		select {
		case err := <-s.fleet.Failed():
			all = append(all, fmt.Errorf("%s: %w", s.name, err))
		default:
		}
	}
	return errors.Join(all...)
}

// start starts the process, and waits until it is ready.
func (m measurement) start(ctx context.Context, a architecture, dir string) (s *subject, err error) {
	_, _ = fmt.Fprintln(m.progress, a.name)
	s = &subject{architecture: a, row: row{Name: a.name}}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if s.server, err = m.cluster.Serve(""); err != nil {
		return nil, err
	}
	ctx, s.cancel = context.WithCancel(ctx)
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	kubeconfig := filepath.Join(dir, "kubeconfig")
	if err := s.server.WriteKubeconfig(kubeconfig); err != nil {
		return nil, err
	}
	s.fleet, err = fleet.Start(ctx, fleet.Options{Command: a.command, Kubeconfig: func(int) string { return kubeconfig }, Shards: 1, Dir: dir})
	if err != nil {
		return nil, err
	}
	s.shard = s.fleet.Shards[0]
	for !s.shard.Answers(ctx, "/readyz") {
		select {
		case err := <-s.fleet.Failed():
			return nil, err
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return s, nil
}

func (s *subject) stop() {
	s.cancel()
	if s.fleet != nil {
		s.fleet.Wait()
	}
	s.server.Stop()
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
