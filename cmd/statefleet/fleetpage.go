package main

import (
	"context"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/statefleet/statefleet/internal/replica"
	"github.com/statefleet/statefleet/internal/web"
	"github.com/statefleet/statefleet/internal/web/statuspage"
	"github.com/statefleet/statefleet/shard/fleet"
)

// page collects the status of the process for the status page.
type page struct {
	*process
	scrapes web.ScrapeLog
	census  *census
	numbers prometheus.Gatherer
}

// addStatusPage makes the status page and adds it to the options.
func (p *process) addStatusPage(o *web.Options, registry *prometheus.Registry, telemetry net.Listener) (err error) {
	p.page = &page{
		process: p,
		census:  &census{take: p.takeCensus, asked: make(chan struct{}, 1)},
		numbers: registry,
	}
	o.Scrapes = &p.page.scrapes
	if at, ok := telemetry.Addr().(*net.TCPAddr); ok {
		o.TelemetryPort = at.Port
	}
	o.StatusPage, err = statuspage.New(statuspage.Options{Status: p.page.status, Profiling: o.Profiling})
	return err
}

func (p *process) takeCensus(ctx context.Context) (replica.CardinalityReport, error) {
	return p.generations.serving.Load().replica.Cardinality(ctx)
}

func (p *page) status() statuspage.Status {
	known := fleet.StaticOverview(p.assignment)
	if p.fleet != nil {
		known = p.fleet.Overview()
	}
	numbers := selfNumbers(p.numbers)
	s := statuspage.Status{
		At:      time.Now(),
		Version: release(),
		Process: statuspage.Process{
			Pod: p.pod, Started: numbers.started, ResidentBytes: numbers.resident, WebConfigRejected: numbers.refused,
			ShardedByServer: numbers.sharded,
		},
		Fleet:   statuspage.NewFleet(known, p.fleet != nil, p.standby),
		Replica: p.generations.serving.Load().replica.Overview(),
		Scrapes: p.scrapes.Summary(),
	}
	if err := p.generations.Ready(); err != nil {
		s.Process.NotReady = err.Error()
	}
	if counted, running := p.census.latest(s.At); counted != nil {
		s.Cardinality = &statuspage.Cardinality{CardinalityReport: *counted, Running: running}
	}
	return s
}
