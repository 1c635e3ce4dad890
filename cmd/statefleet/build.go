package main

import (
	"context"
	"net"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/klog/v2"

	"github.com/statefleet/statefleet/internal/replica"
	"github.com/statefleet/statefleet/internal/web"
	"github.com/statefleet/statefleet/shard/fleet"
)

// process is everything that runs, made and bound but not started.
type process struct {
	*settings
	generations *reloader
	fleet       *fleet.Coordinator // nil: the assignment is static
	auth        *web.AuthFilter    // nil: everybody may read
	webConfig   *web.ConfigFile    // nil: neither TLS nor passwords
	page        *page
	servers     []web.Server
}

// build makes a process. Its errors are the last that are known before something starts: files and ports.
func build(ctx context.Context, s *settings) (p *process, err error) {
	klog.SetSlogLogger(s.logger.With("component", "client-go"))
	registry, err := newRegistry()
	if err != nil {
		return nil, err
	}
	webConfig, err := s.loadWebConfig(registry)
	if err != nil {
		return nil, err
	}
	config, err := s.apiConfig()
	if err != nil {
		return nil, err
	}
	telemetry, metrics, err := s.bind(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			closeAll(append(metrics, telemetry))
		}
	}()
	p = &process{settings: s, webConfig: webConfig}
	if err := p.makeReloader(registry); err != nil {
		return nil, err
	}
	if err := p.makeFleet(config, registry); err != nil {
		return nil, err
	}
	if err := p.makeAuth(config, registry); err != nil {
		return nil, err
	}
	return p, p.makeServers(registry, telemetry, metrics)
}

func (p *process) makeReloader(registry *prometheus.Registry) (err error) {
	r := &reloader{shown: replica.NewMetrics(registry), level: p.log.Level, holdsChanged: p.holdsChanged}
	p.generations = r
	if r.metrics, err = newReloadMetrics(registry, p.files); err != nil {
		return err
	}
	r.make = func(s *settings) (*generation, error) { return newGeneration(s, r.shown, r.holdsChanged) }
	first, err := r.make(p.settings)
	if err != nil {
		return err
	}
	r.serving.Store(first)
	first.show(r.shown)
	return nil
}

func (p *process) makeServers(registry *prometheus.Registry, telemetry net.Listener, metrics []net.Listener) error {
	options := web.Options{Version: release(), MaxRequests: p.maxRequests, Profiling: p.profiling}
	if err := p.addStatusPage(&options, registry, telemetry); err != nil {
		return err
	}
	main, err := web.Handler(p.generations, registry, options)
	if err != nil {
		return err
	}
	self, err := web.TelemetryHandler(p.generations, registry, p.logger, options)
	if err != nil {
		return err
	}
	counted, err := web.NewServerMetrics(registry)
	if err != nil {
		return err
	}
	limits := p.connectionLimits(2)
	server := func(h http.Handler, name string, listeners ...net.Listener) web.Server {
		if p.auth != nil {
			h = p.auth.Protect(h)
		}
		return web.Server{
			Listeners:   listeners,
			Handler:     h,
			Config:      p.webConfig,
			Timeouts:    p.timeouts,
			Connections: limits,
			Metrics:     counted,
			Port:        name,
			Logger:      p.logger.With("server", name),
		}
	}
	p.servers = []web.Server{server(main, "metrics", metrics...), server(self, "telemetry", telemetry)}
	return nil
}
