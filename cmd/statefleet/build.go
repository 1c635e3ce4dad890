package main

import (
	"context"
	"fmt"
	"net"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"github.com/statefleet/statefleet/internal/replica"
	"github.com/statefleet/statefleet/shard"
	"github.com/statefleet/statefleet/store"
	"github.com/statefleet/statefleet/web"
)

// process is everything that runs, made and bound but not started.
type process struct {
	*settings
	replica   *replica.Replica
	shards    *shardMetrics
	discovery *shard.Discovery // nil: the assignment is static
	servers   []web.Server
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
	if err := p.makeReplica(config, registry); err != nil {
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

func (p *process) makeReplica(config *rest.Config, registry *prometheus.Registry) (err error) {
	if p.shards, err = newShardMetrics(registry); err != nil {
		return err
	}
	kinds, err := replica.Builtin(p.kinds, p.filter)
	if err != nil {
		return err
	}
	metrics := replica.NewMetrics(registry)
	p.replica, err = replica.New(replica.Options{
		Config:            config,
		Kinds:             kinds,
		Namespaces:        p.namespaces,
		NamespacesDenied:  p.denied,
		Node:              p.node,
		TrackUnscheduled:  p.trackUnscheduled,
		UseAPIServerCache: p.useAPIServerCache,
		ObjectLimit:       p.objectLimit,
		RawBytes:          p.rawBytes,
		Logger:            p.logger,
		Metrics:           metrics,
	})
	if err != nil {
		return p.apiError(err)
	}
	metrics.Show(p.replica)
	if p.pod == "" {
		return nil
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return p.apiError(err)
	}
	p.discovery = &shard.Discovery{Client: client, Namespace: p.podNamespace, Pod: p.pod, Logger: p.logger}
	return nil
}

// exporter shows the replica to the web.
type exporter struct{ *replica.Replica }

// Collect implements [web.Exporter].
func (e exporter) Collect(f store.Format, include func(resource string) bool) web.Page {
	return e.Replica.Collect(f, include)
}

func (p *process) makeServers(registry *prometheus.Registry, telemetry net.Listener, metrics []net.Listener) error {
	show := exporter{p.replica}
	main, err := web.Handler(show, registry, release())
	if err != nil {
		return err
	}
	self, err := web.TelemetryHandler(show, registry, p.logger, release())
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
