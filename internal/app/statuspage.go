package app

import (
	"math"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/statefleet/statefleet/internal/web"
	"github.com/statefleet/statefleet/internal/web/statuspage"
	"github.com/statefleet/statefleet/shard/fleet"
)

// statusPage collects what the status page shows.
type statusPage struct {
	*process
	scrapes     web.ScrapeLog
	cardinality *cardinalityCache
	gatherer    prometheus.Gatherer
}

// addStatusPage adds the status page to the options of the web servers.
func (p *process) addStatusPage(o *web.Options, registry *prometheus.Registry, telemetry net.Listener) (err error) {
	p.page = &statusPage{process: p, cardinality: newCardinalityCache(p.reloader.cardinality), gatherer: registry}
	o.Scrapes = &p.page.scrapes
	if tcp, ok := telemetry.Addr().(*net.TCPAddr); ok {
		o.TelemetryPort = tcp.Port
	}
	o.StatusPage, err = statuspage.New(statuspage.Options{Status: p.page.status, Profiling: p.Profiling})
	return err
}

func (p *statusPage) status() statuspage.Status {
	known := fleet.StaticOverview(p.Assignment)
	if p.fleet != nil {
		known = p.fleet.Overview()
	}
	s := statuspage.Status{
		At:      time.Now(),
		Version: version(),
		Process: gatherProcess(p.gatherer),
		Fleet:   statuspage.NewFleet(known, p.fleet != nil, p.Standby),
		Replica: p.reloader.replica().Overview(),
		Scrapes: p.scrapes.Summary(),
	}
	s.Process.Pod = p.Pod
	if err := p.reloader.Ready(); err != nil {
		s.Process.NotReady = err.Error()
	}
	if report, running := p.cardinality.latest(s.At); report != nil {
		s.Cardinality = &statuspage.Cardinality{CardinalityReport: *report, Running: running}
	}
	return s
}

// gatherProcess takes the state of the process from its metrics. It leaves out what cannot be gathered; the telemetry port
// shows and logs such errors.
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
	value := m.GetGauge().GetValue()
	switch name {
	case "process_resident_memory_bytes":
		p.ResidentBytes = int64(value)
	case "process_start_time_seconds":
		seconds, fraction := math.Modf(value)
		p.Started = time.Unix(int64(seconds), int64(fraction*1e9))
	case "statefleet_web_config_last_reload_successful":
		p.WebConfigRejected = value == 0
	case "statefleet_watch_sharded_by_server":
		for _, l := range m.GetLabel() {
			if l.GetName() == "resource" {
				p.ShardedByServer[l.GetValue()] = value == 1
			}
		}
	}
}
