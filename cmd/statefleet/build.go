package main

import (
	"context"
	"fmt"
	"net"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/klog/v2"

	"github.com/statefleet/statefleet/internal/replica"
	"github.com/statefleet/statefleet/shard"
	"github.com/statefleet/statefleet/web"
)

// process is everything that runs, made and bound but not started.
type process struct {
	*settings
	generations *reloader
	fleet       *shard.Coordinator // nil: the assignment is static
	servers     []web.Server
}

// build makes a process. Its errors are the last that are known before something starts: files and ports.
func build(ctx context.Context, s *settings) (p *process, err error) {
	klog.SetSlogLogger(s.logger.With("component", "client-go"))
	if err := web.ValidateConfig(s.webConfigFile); err != nil {
		return nil, fmt.Errorf("--web.config.file: %w", err)
	}
	config, err := s.apiConfig()
	if err != nil {
		return nil, err
	}
	listeners, err := listen(ctx, append([]address{s.telemetry}, s.listen...))
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			closeAll(listeners)
		}
	}()
	registry, err := newRegistry()
	if err != nil {
		return nil, err
	}
	p = &process{settings: s}
	if err := p.makeReloader(registry); err != nil {
		return nil, err
	}
	if err := p.makeFleet(config, registry); err != nil {
		return nil, err
	}
	return p, p.makeServers(registry, listeners[0], listeners[1:])
}

// listen binds all addresses, or none.
func listen(ctx context.Context, addresses []address) ([]net.Listener, error) {
	var listeners []net.Listener
	for _, a := range addresses {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", a.hostPort)
		if err != nil {
			closeAll(listeners)
			return nil, fmt.Errorf("%s: %w", a.flag, err)
		}
		listeners = append(listeners, l)
	}
	return listeners, nil
}

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		_ = l.Close() // nothing was accepted
	}
}

func (p *process) makeReloader(registry *prometheus.Registry) (err error) {
	r := &reloader{shown: replica.NewMetrics(registry), level: p.log.Level}
	p.generations = r
	if r.metrics, err = newReloadMetrics(registry, p.files); err != nil {
		return err
	}
	r.make = func(s *settings) (*generation, error) { return newGeneration(s, r.shown) }
	first, err := r.make(p.settings)
	if err != nil {
		return err
	}
	r.serving.Store(first)
	r.shown.Show(first.replica)
	return nil
}

func (p *process) makeServers(registry *prometheus.Registry, telemetry net.Listener, metrics []net.Listener) error {
	main, err := web.Handler(p.generations, registry, release())
	if err != nil {
		return err
	}
	self, err := web.TelemetryHandler(p.generations, registry, p.logger, release())
	if err != nil {
		return err
	}
	server := func(h http.Handler, name string, listeners ...net.Listener) web.Server {
		return web.Server{
			Listeners:  listeners,
			Handler:    h,
			ConfigFile: p.webConfigFile,
			Timeouts:   p.timeouts,
			Logger:     p.logger.With("server", name),
		}
	}
	p.servers = []web.Server{server(main, "metrics", metrics...), server(self, "telemetry", telemetry)}
	return nil
}
