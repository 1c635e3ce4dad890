package app

import (
	"context"
	"math"
	"net"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/statefleet/statefleet/internal/replica"
	"github.com/statefleet/statefleet/internal/web"
	"github.com/statefleet/statefleet/internal/web/statuspage"
	"github.com/statefleet/statefleet/shard/fleet"
)

// addStatusPage adds the status page to the options of the web servers.
func (p *process) addStatusPage(o *web.Options, telemetry net.Listener) (err error) {
	p.cardinality = newCardinalityCache(func(ctx context.Context) (replica.CardinalityReport, error) {
		return p.reloader.replica().Cardinality(ctx)
	})
	o.Scrapes = &p.scrapes
	if tcp, ok := telemetry.Addr().(*net.TCPAddr); ok {
		o.TelemetryPort = tcp.Port
	}
	o.StatusPage, err = statuspage.New(statuspage.Options{
		Status: p.status, Profiling: p.Profiling,
		ReplicaURL: func(address string) string {
			u := url.URL{Scheme: "http", Host: net.JoinHostPort(address, strconv.Itoa(o.TelemetryPort)), Path: "/"}
			if p.webConfig != nil && p.webConfig.HasTLS() {
				u.Scheme = "https"
			}
			return u.String()
		},
	})
	return err
}

// status collects what the status page shows.
func (p *process) status() statuspage.Status {
	known := fleet.StaticOverview(p.Assignment)
	if p.fleet != nil {
		known = p.fleet.Overview()
	}
	s := statuspage.Status{
		At:      time.Now(),
		Version: version(),
		Process: gatherProcess(p.registry),
		Fleet: statuspage.Fleet{
			Overview: known, Problem: textOf(known.Problem),
			FollowsStatefulSet: p.fleet != nil, StandbyRequested: p.fleet != nil && p.Standby,
		},
		Replica: p.reloader.replica().Overview(),
		Scrapes: p.scrapes.Summary(),
	}
	s.Process.Pod = p.Pod
	s.Process.NotReady = textOf(p.reloader.Ready())
	if refusal := p.reloader.refusal.Load(); refusal != nil {
		s.Process.ConfigRefused = textOf(*refusal)
	}
	if p.webConfig != nil {
		s.Process.WebConfigRefused = textOf(p.webConfig.Refused())
	}
	served := p.reloader.active.Load()
	s.Process.Warnings, s.Process.ExposesNothing = served.warnings, served.exposesNothing
	if report, running := p.cardinality.latest(s.At); report != nil {
		s.Cardinality = &statuspage.Cardinality{CardinalityReport: *report, Running: running}
	}
	return s
}

// textOf returns the text of an error; "" without one.
func textOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// gatherProcess takes the state of the process from its metrics. It leaves out what cannot be
// gathered; the telemetry port shows and logs such errors.
func gatherProcess(g prometheus.Gatherer) statuspage.Process {
	p := statuspage.Process{ShardedByServer: map[string]bool{}}
	families, _ := g.Gather()
	for _, f := range families {
		for _, m := range f.GetMetric() {
			addMetric(&p, f.GetName(), m)
		}
	}
	return p
}

func addMetric(p *statuspage.Process, name string, m *dto.Metric) {
	switch value := m.GetGauge().GetValue(); name {
	case "process_resident_memory_bytes":
		p.ResidentBytes = int64(value)
	case "process_start_time_seconds":
		seconds, fraction := math.Modf(value)
		p.Started = time.Unix(int64(seconds), int64(fraction*1e9))
	case "statefleet_watch_sharded_by_server":
		for _, l := range m.GetLabel() {
			if l.GetName() == "resource" {
				p.ShardedByServer[l.GetValue()] = value == 1
			}
		}
	}
}

const (
	// cardinalityTTL is how long a report stays current.
	cardinalityTTL = time.Minute
	// emptyTTL is that of a report without series, which costs nothing: a replica that has just
	// become ready should not be shown without series for a minute.
	emptyTTL = 2 * time.Second
)

// cardinalityCache counts series on demand and in the background. The latest report is always
// available at once.
type cardinalityCache struct {
	count  func(context.Context) (replica.CardinalityReport, error)
	demand chan struct{}

	mu      sync.Mutex
	report  *replica.CardinalityReport // nil: none yet
	running bool
}

func newCardinalityCache(count func(context.Context) (replica.CardinalityReport, error)) *cardinalityCache {
	return &cardinalityCache{count: count, demand: make(chan struct{}, 1)}
}

// latest returns the latest report, nil before the first, and whether the next one is in progress.
// It demands one if the latest is too old.
func (c *cardinalityCache) latest(now time.Time) (report *replica.CardinalityReport, running bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ttl := cardinalityTTL
	if c.report != nil && c.report.All.Series == 0 {
		ttl = emptyTTL
	}
	if !c.running && (c.report == nil || now.Sub(c.report.At) >= c.report.Took+ttl) {
		select {
		case c.demand <- struct{}{}:
		default:
		}
	}
	return c.report, c.running
}

// run makes reports on demand until ctx ends.
func (c *cardinalityCache) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.demand:
		}
		c.mu.Lock()
		c.running = true
		c.mu.Unlock()
		report, err := c.count(ctx)
		if err != nil { // ctx has ended
			return
		}
		c.mu.Lock()
		c.report, c.running = &report, false
		c.mu.Unlock()
	}
}
