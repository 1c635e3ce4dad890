// Package prometheus runs Prometheus' own code in a test or a program: pod discovery, scrape manager, rules, storage
// and query engine, with the scrape configuration that this repository ships.
//
//	server := prometheus.Start(t, prometheus.Options{Kubeconfig: path, Interval: time.Second})
//	counts, err := server.Range(ctx, `count by (namespace, pod) (kube_pod_info)`, start, end)
package prometheus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/util/logging"
)

// Options configure a Prometheus.
type Options struct {
	// Kubeconfig is the path of the kubeconfig for pod discovery. If it is empty, Follow sets the pods.
	Kubeconfig string

	// Proxy is the URL of an HTTP proxy through which targets are scraped; empty for none.
	Proxy string

	// Interval is the scrape interval, the scrape timeout, and the evaluation interval of rules.
	Interval time.Duration

	// Delay is how long discovery collects changes before it passes them on, and then how long the scrape manager does.
	// In Prometheus, each of the two is 5 s for all intervals.
	Delay time.Duration

	// Rules enables the evaluation of the rules that this repository ships, once per Interval.
	Rules bool

	// WAL enables the write-ahead log, as in a normal Prometheus. Without it, samples are only kept in memory, because no
	// later process reads them.
	WAL bool

	// Registry receives Prometheus' metrics about itself. Nil: they are not exposed.
	Registry *prometheus.Registry

	// Log receives Prometheus' log. It must not be nil.
	Log *slog.Logger
}

// Server is a running Prometheus. All methods except Follow, Rediscover and Close may be called concurrently.
type Server struct {
	db      *tsdb.DB
	engine  *promql.Engine
	scrapes *scrape.Manager
	rules   *rules.Manager

	targets *discovery.Manager
	cfg     *config.Config
	end     context.CancelFunc
	running sync.WaitGroup
}

// Start runs Prometheus until the end of the test.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	s, err := Open(t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing Prometheus' storage: %v", err)
		}
	})
	return s
}

// Open runs Prometheus with its data in a folder. The caller closes the Server, and removes the folder.
func Open(dir string, o Options) (*Server, error) {
	cfg, err := load(o)
	if err != nil {
		return nil, err
	}
	registry := cmp.Or(o.Registry, prometheus.NewRegistry())
	storage := tsdb.DefaultOptions()
	if !o.WAL {
		storage.WALSegmentSize = -1
	}
	db, err := tsdb.Open(dir, o.Log, registry, storage, nil)
	if err != nil {
		return nil, err
	}
	s := &Server{db: db, cfg: cfg, end: func() {}, engine: promql.NewEngine(promql.EngineOpts{
		Logger: o.Log, MaxSamples: 50_000_000, Timeout: time.Minute, LookbackDelta: 5 * time.Minute, Parser: promQL(),
	})}
	if err := s.run(o, registry); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// promQL returns a parser without experimental functions.
func promQL() parser.Parser { return parser.NewParser(parser.Options{}) }

// run starts discovery, scraping and rules.
func (s *Server) run(o Options, registry *prometheus.Registry) error {
	metrics, err := discovery.CreateAndRegisterSDMetrics(registry)
	if err != nil {
		return err
	}
	scrapes, err := scrape.NewManager(&scrape.Options{DiscoveryReloadInterval: model.Duration(o.Delay)}, o.Log,
		logging.NewJSONFileLogger, nil, s.db, registry)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.end, s.scrapes = cancel, scrapes
	s.targets = discovery.NewManager(ctx, o.Log, registry, metrics, discovery.Updatert(o.Delay))
	s.running.Go(func() { _ = s.targets.Run() }) // its only error is that ctx has ended
	s.running.Go(func() { _ = s.scrapes.Run(s.targets.SyncCh()) })
	if err := s.scrapes.ApplyConfig(s.cfg); err != nil {
		return err
	}
	if o.Rules {
		if err := s.evaluate(ctx, o, registry); err != nil {
			return err
		}
	}
	return s.targets.ApplyConfig(discoverers(s.cfg))
}

// Close ends scraping and closes the storage. In this order, the reader of each channel ends after its writer.
func (s *Server) Close() error {
	if s.rules != nil {
		s.rules.Stop()
	}
	if s.scrapes != nil {
		s.scrapes.Stop()
	}
	s.end()
	s.running.Wait()
	_ = s.engine.Close()
	return s.db.Close()
}

// Rediscover makes discovery list all pods again, as a restart does. It is necessary after a cluster was restored from
// a backup.
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

// Targets returns the URLs that a job of the configuration scrapes at present.
func (s *Server) Targets(job string) []string {
	var urls []string
	for _, target := range s.scrapes.TargetsActive()[job] {
		urls = append(urls, target.URL().String())
	}
	return urls
}

// Scrape is the last scrape of a target.
type Scrape struct {
	// Target is the host and port that was scraped.
	Target string
	// At is when it began. It is zero before the first scrape.
	At time.Time
	// Took is its duration, including the storage of its samples.
	Took time.Duration
	// Err is why it failed, or nil.
	Err error
}

// Scrapes returns the last scrape of each target of a job of the configuration.
func (s *Server) Scrapes(job string) []Scrape {
	var all []Scrape
	for _, target := range s.scrapes.TargetsActive()[job] {
		all = append(all, Scrape{
			Target: target.URL().Host, At: target.LastScrape(), Took: target.LastScrapeDuration(), Err: target.LastError(),
		})
	}
	return all
}

// Stored returns the number of targets with stored scrapes, and the sum of the samples in the last scrape of each.
func (s *Server) Stored(ctx context.Context) (targets, samples float64, err error) {
	now := time.Now()
	for query, number := range map[string]*float64{
		"count(scrape_samples_scraped)": &targets, "sum(scrape_samples_scraped)": &samples,
	} {
		found, err := s.Range(ctx, query, now, now)
		if err != nil {
			return 0, 0, err
		}
		if numbers := found["{}"]; len(numbers) > 0 {
			*number = numbers[0]
		}
	}
	return targets, samples, nil
}

// Step is the time between two points of Range.
const Step = 100 * time.Millisecond

// Range evaluates a query at every Step from start to end, and returns the values of each series by its labels. A
// missing value is 0.
func (s *Server) Range(ctx context.Context, query string, start, end time.Time) (map[string][]float64, error) {
	matrix, err := s.Matrix(ctx, query, start, end, Step)
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

// Matrix evaluates a query at every step from start to end.
func (s *Server) Matrix(ctx context.Context, query string, start, end time.Time, step time.Duration,
) (promql.Matrix, error) {
	prepared, err := s.engine.NewRangeQuery(ctx, s.db, nil, query, start, end, step)
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
	return copied(matrix), nil
}

// copied returns a copy that remains valid after the query is closed, which reuses the points.
func copied(matrix promql.Matrix) promql.Matrix {
	all := make(promql.Matrix, len(matrix))
	for i, series := range matrix {
		all[i] = promql.Series{Metric: series.Metric.Copy(), Floats: slices.Clone(series.Floats)}
	}
	return all
}
