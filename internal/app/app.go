// Package app runs one process of the exporter: it wires the packages below, reloads the
// configuration, drains before it stops, and sets the memory limits of the Go runtime.
package app

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/promslog"
	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"github.com/statefleet/statefleet/internal/config"
	"github.com/statefleet/statefleet/internal/watch/outage"
	"github.com/statefleet/statefleet/internal/web"
	"github.com/statefleet/statefleet/shard"
	"github.com/statefleet/statefleet/shard/fleet"
)

// Reload is how a process reads its configuration again.
type Reload struct {
	// Load reads the configuration as it was read at the start. Next to an error, the Files are
	// those that were read.
	Load func() (*config.Config, error)
	// Hangup asks for a reload. The files of the configuration are watched, too.
	Hangup <-chan os.Signal
}

// Run runs a process until ctx ends and other replicas have taken over what it serves, or until a
// part of it fails. Errors about a setting name the flag, and the position in the configuration
// file.
func Run(ctx context.Context, c *config.Config, r Reload) error {
	p, err := newProcess(ctx, c, r)
	if err != nil {
		return c.Locate(err)
	}
	return p.run(ctx)
}

// process is everything that runs.
type process struct {
	*config.Config // as the process started
	logger         *slog.Logger
	outages        outage.Log
	reloader       *reloader
	fleet          *fleet.Coordinator // nil: the assignment is static
	webConfig      *web.ConfigFile    // nil: neither TLS nor passwords
	registry       *prometheus.Registry
	scrapes        web.ScrapeLog
	cardinality    *cardinalityCache
	saved          *stateSaver // nil: nothing is saved
	servers        []web.Server
}

// newProcess checks all that can be checked before something starts: files and ports.
func newProcess(ctx context.Context, c *config.Config, r Reload) (p *process, err error) {
	p = &process{Config: c, logger: promslog.New(&c.Log)}
	p.outages.Logger = p.logger
	klog.SetSlogLogger(p.logger.With("component", "client-go"))
	if p.registry, err = newRegistry(); err != nil {
		return nil, err
	}
	if p.webConfig, err = loadWebConfig(c, p.registry, p.logger); err != nil {
		return nil, err
	}
	api, err := p.restConfig(c)
	if err != nil {
		return nil, err
	}
	telemetry, metrics, err := listen(ctx, c)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			closeAll(append(metrics, telemetry))
		}
	}()
	if p.SnapshotDir != "" {
		p.saved = newStateSaver(p, api)
	}
	if p.reloader, err = newReloader(p, r); err != nil {
		return nil, err
	}
	if err := p.joinFleet(api); err != nil {
		return nil, err
	}
	return p, p.addServers(api, telemetry, metrics)
}

// joinFleet sets up coordination, if the replica is one of a StatefulSet.
func (p *process) joinFleet(api *rest.Config) error {
	if p.Pod == "" {
		static := fleet.Status{Ordinal: p.Assignment.Ordinal, Active: p.Assignment.Total}
		return p.registry.Register(fleetMetrics{status: func() fleet.Status { return static }})
	}
	client, err := fleet.NewClient(api, p.PodNamespace)
	if err != nil {
		return apiError(p.Config, err)
	}
	p.fleet = &fleet.Coordinator{
		Member: p.reloader,
		Client: client, Namespace: p.PodNamespace, Pod: p.Pod, Standby: p.Standby, Logger: p.logger,
	}
	return p.registry.Register(fleetMetrics{status: p.fleet.Status, coordinated: true, standby: p.Standby})
}

func (p *process) addServers(api *rest.Config, telemetry net.Listener, metrics []net.Listener) error {
	options := web.Options{Version: version(), MaxRequests: p.MaxRequests, Profiling: p.Profiling}
	if err := p.addStatusPage(&options, telemetry); err != nil {
		return err
	}
	metricsHandler, err := web.Handler(p.reloader, p.registry, options)
	if err != nil {
		return err
	}
	telemetryHandler, err := web.TelemetryHandler(p.reloader, p.registry, p.logger, options)
	if err != nil {
		return err
	}
	connections, err := web.NewServerMetrics(p.registry)
	if err != nil {
		return err
	}
	protect := func(h http.Handler) http.Handler { return h }
	if p.AuthFilter {
		o := web.AuthOptions{Audiences: p.Audiences, PathPrefix: p.PathPrefix}
		auth, err := web.NewAuthFilter(api, o, p.registry, p.logger)
		if err != nil {
			return err
		}
		protect = auth.Protect
	}
	limits := p.connectionLimits(2)
	add := func(port string, h http.Handler, listeners ...net.Listener) {
		p.servers = append(p.servers, web.Server{
			Listeners:   listeners,
			Handler:     protect(h),
			Config:      p.webConfig,
			Timeouts:    p.Timeouts,
			Connections: limits,
			Metrics:     connections,
			Port:        port,
			Logger:      p.logger.With("server", port),
		})
	}
	add("metrics", metricsHandler, metrics...)
	add("telemetry", telemetryHandler, telemetry)
	return nil
}

func (p *process) run(ctx context.Context) error {
	p.logger.Info("starting statefleet", "version", version(), "resources", strings.Join(p.KindNames(), ","))
	p.tuneMemory()
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	g, serving := errgroup.WithContext(serving)
	background := func(run func(context.Context)) {
		g.Go(func() error {
			run(serving)
			return nil
		})
	}
	for _, s := range p.servers {
		g.Go(func() error { return s.Run(serving) })
	}
	if p.webConfig != nil {
		background(p.webConfig.Run)
	}
	background(p.cardinality.run)
	p.reloader.start(serving, g)
	background(p.reloader.loop)
	if p.saved != nil {
		background(p.saved.run)
	}
	if p.fleet != nil {
		g.Go(func() error { return p.fleet.Run(serving) })
	} else {
		p.reloader.Follow(shard.Uncoordinated(p.Assignment))
	}
	select {
	case <-serving.Done():
	case <-ctx.Done():
		p.drain(serving)
		stop()
	}
	p.logger.Info("stopping")
	err := g.Wait()
	if p.saved != nil {
		p.saved.finish()
	}
	return err
}

// drain waits until other replicas have taken over what this one serves, where the fleet requires
// it.
func (p *process) drain(ctx context.Context) {
	if p.fleet == nil || p.DrainTimeout == 0 {
		return
	}
	p.reloader.draining.Store(p.fleet.Status().HasStandby())
	ctx, cancel := context.WithTimeout(ctx, p.DrainTimeout)
	defer cancel()
	if err := p.fleet.Drain(ctx); err != nil {
		p.logger.Warn("stopping before other replicas have taken over", "timeout", p.DrainTimeout)
	}
}

// holdsChanged notifies the fleet, if there is one, that this replica may hold other ranges than
// before.
func (p *process) holdsChanged() {
	if p.fleet != nil {
		p.fleet.HoldsChanged()
	}
}
