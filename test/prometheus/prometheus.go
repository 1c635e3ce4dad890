// Package prometheus runs Prometheus' own code inside a test: its pod discovery, its scrape manager, its storage and its
// query engine, with the scrape configuration that this repository ships.
//
//	server := prometheus.Start(t, prometheus.Options{Kubeconfig: path, Interval: time.Second})
//	counts, err := server.Range(ctx, `count by (namespace, pod) (kube_pod_info)`, start, end)
package prometheus

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/util/logging"
)

// Options say how this Prometheus differs from one that runs in a cluster.
type Options struct {
	// Kubeconfig is the path of the file with which pods are discovered.
	Kubeconfig string

	// Interval is the time between two scrapes of a target, and their timeout.
	Interval time.Duration

	// Delay is how long discovery collects changes before it passes them on, and how long the scrape manager does so
	// after it. In Prometheus each of the two is 5 s, whatever the interval.
	Delay time.Duration

	// Log gets what Prometheus logs. It must not be nil.
	Log *slog.Logger
}

// Server is a running Prometheus. All methods may be called concurrently.
type Server struct {
	db      *tsdb.DB
	engine  *promql.Engine
	scrapes *scrape.Manager

	targets *discovery.Manager
	cfg     *config.Config
}

// Start runs Prometheus until the end of the test.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	cfg, err := load(o)
	if err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	s := open(t, o.Log, registry)
	if err := s.run(t, o, cfg, registry); err != nil {
		t.Fatal(err)
	}
	return s
}

// open makes storage and query engine, which live until the end of the test.
func open(t testing.TB, log *slog.Logger, registry *prometheus.Registry) *Server {
	t.Helper()
	db, err := tsdb.Open(t.TempDir(), log, registry, storage(), nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{db: db, engine: promql.NewEngine(promql.EngineOpts{
		Logger: log, MaxSamples: 50_000_000, Timeout: time.Minute, LookbackDelta: 5 * time.Minute, Parser: parser.NewParser(parser.Options{}),
	})}
	t.Cleanup(func() {
		_ = s.engine.Close()
		if err := s.db.Close(); err != nil {
			t.Errorf("closing Prometheus' storage: %v", err)
		}
	})
	return s
}

// storage keeps everything in memory: it is not read after the test.
func storage() *tsdb.Options {
	options := tsdb.DefaultOptions()
	options.WALSegmentSize = -1
	return options
}

// run starts discovery and scraping; the order in which the cleanup ends them lets each channel's reader outlive its writer.
func (s *Server) run(t testing.TB, o Options, cfg *config.Config, registry *prometheus.Registry) error {
	metrics, err := discovery.CreateAndRegisterSDMetrics(registry)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	targets := discovery.NewManager(ctx, o.Log, registry, metrics, discovery.Updatert(o.Delay))
	s.scrapes, err = scrape.NewManager(&scrape.Options{DiscoveryReloadInterval: model.Duration(o.Delay)}, o.Log,
		logging.NewJSONFileLogger, nil, s.db, registry)
	if err != nil {
		cancel()
		return err
	}
	var running sync.WaitGroup
	t.Cleanup(func() {
		s.scrapes.Stop()
		cancel()
		running.Wait()
	})
	running.Go(func() { _ = targets.Run() }) // ends with ctx, and says so as an error
	running.Go(func() { _ = s.scrapes.Run(targets.SyncCh()) })
	if err := s.scrapes.ApplyConfig(cfg); err != nil {
		return err
	}
	s.targets, s.cfg = targets, cfg
	return targets.ApplyConfig(discoverers(cfg))
}

// Rediscover has discovery list everything again, as a restart does. A cluster that was restored from a backup needs it.
func (s *Server) Rediscover() error {
	if err := s.targets.ApplyConfig(nil); err != nil {
		return err
	}
	return s.targets.ApplyConfig(discoverers(s.cfg))
}

func discoverers(cfg *config.Config) map[string]discovery.Configs {
	all := map[string]discovery.Configs{}
	for _, scrape := range cfg.ScrapeConfigs {
		all[scrape.JobName] = scrape.ServiceDiscoveryConfigs
	}
	return all
}

// Targets are the addresses that are scraped at present for a job of the configuration.
func (s *Server) Targets(job string) []string {
	var urls []string
	for _, target := range s.scrapes.TargetsActive()[job] {
		urls = append(urls, target.URL().String())
	}
	return urls
}

// Step is the distance between two points of a range.
const Step = 100 * time.Millisecond

// Range evaluates a query at every Step from start to end, and returns the numbers of each series by its labels. Where a
// series is not there, its number is 0.
func (s *Server) Range(ctx context.Context, query string, start, end time.Time) (map[string][]float64, error) {
	prepared, err := s.engine.NewRangeQuery(ctx, s.db, nil, query, start, end, Step)
	if err != nil {
		return nil, err
	}
	defer prepared.Close()
	result := prepared.Exec(ctx)
	if result.Err != nil {
		return nil, fmt.Errorf("%s: %w", query, result.Err)
	}
	matrix, err := result.Matrix()
	if err != nil {
		return nil, err
	}
	all := map[string][]float64{}
	for _, series := range matrix {
		numbers := make([]float64, (end.UnixMilli()-start.UnixMilli())/Step.Milliseconds()+1)
		for _, point := range series.Floats {
			numbers[(point.T-start.UnixMilli())/Step.Milliseconds()] = point.F
		}
		all[series.Metric.String()] = numbers
	}
	return all, nil
}
