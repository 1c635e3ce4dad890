package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/statefleet/statefleet/internal/replica"
	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/internal/watch/verify"
	"github.com/statefleet/statefleet/internal/web"
	"github.com/statefleet/statefleet/resources/customresource"
	"github.com/statefleet/statefleet/shard"
	"github.com/statefleet/statefleet/store"
)

// generation is a replica made of one set of settings. A change of settings makes another one, which runs beside the one
// that is served until it can take its place.
type generation struct {
	*settings
	replica  *replica.Replica
	builtin  []replica.Kind
	follower *customresource.DefinitionWatcher // nil: no custom resources
	client   *watch.Client                     // of the follower

	mu       sync.Mutex
	complete bool        // all kinds are known
	plan     *shard.Plan // nil: none yet

	stop  context.CancelFunc
	ended chan struct{}
}

// newGeneration makes a generation that starts with start. Generations of one process share the metrics. holdsChanged is
// called when the replica may hold something else than before.
func newGeneration(s *settings, metrics *replica.Metrics, holdsChanged func()) (*generation, error) {
	config, err := s.apiConfig()
	if err != nil {
		return nil, err
	}
	g := &generation{settings: s, complete: s.customized == nil}
	if g.builtin, err = replica.Builtin(s.kinds, s.filter); err != nil {
		return nil, err
	}
	verifier := verify.New(verify.Options{Every: s.checkEvery, Metrics: metrics.Verify()})
	g.replica, err = replica.New(replica.Options{
		Config:            config,
		Kinds:             g.builtin,
		Namespaces:        s.namespaces,
		NamespacesDenied:  s.denied,
		NamespaceSelector: s.selector,
		Node:              s.node,
		TrackUnscheduled:  s.trackUnscheduled,
		UseAPIServerCache: s.useAPIServerCache,
		ObjectLimit:       s.objectLimit,
		ObjectBytes:       s.objectBytesLimit,
		ByteLimit:         s.byteLimit,
		HoldDeleted:       s.holdDeleted,
		CustomGrace:       s.customGrace,
		Verifier:          verifier,
		HoldsChanged:      holdsChanged,
		RawBytes:          s.rawBytes,
		Logger:            s.logger,
		Metrics:           metrics,
	})
	if err != nil {
		return nil, s.apiError(err)
	}
	if g.complete {
		return g, nil
	}
	client, err := watch.NewClient(config, watch.AcceptBoth)
	if err != nil {
		return nil, s.apiError(err)
	}
	g.client = client
	s.warnCustom()
	g.follower = customresource.NewDefinitionWatcher(customresource.DefinitionWatcherOptions{
		Config:   s.customized,
		Source:   s.customSource(),
		Filter:   s.filter,
		Client:   client,
		Metrics:  metrics.Watch(), // of definitions; only what is exported is shown
		Verifier: verifier,
		Idle:     g.replica.Idle,
		Logger:   s.logger,
	})
	return g, nil
}

// show makes the metrics those of the generation.
func (g *generation) show(metrics *replica.Metrics) {
	if g.follower == nil {
		metrics.SetSource(g.replica)
		return
	}
	metrics.SetSource(g.replica, replica.ExtraResource{Resource: customresource.Definitions, Status: g.follower.Status})
}

// start runs the generation in g until ctx ends or halt is called.
func (g *generation) start(ctx context.Context, in *errgroup.Group) {
	ctx, g.stop = context.WithCancel(ctx)
	g.ended = make(chan struct{})
	in.Go(func() error {
		defer close(g.ended)
		parts, ctx := errgroup.WithContext(ctx)
		parts.Go(func() error { return g.replica.Run(ctx) })
		if g.follower != nil {
			parts.Go(func() error {
				defer g.client.CloseIdleConnections()
				g.follower.Run(ctx, g.export)
				return nil
			})
		}
		return parts.Wait()
	})
}

// halt ends the generation and waits until it has.
func (g *generation) halt() {
	g.stop()
	<-g.ended
}

// follow makes the generation move to a plan.
func (g *generation) follow(p shard.Plan) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.plan = &p
	if g.complete {
		g.replica.Follow(p)
	}
}

// export takes the custom kinds that there are now. The first call lets the replica start: it must not be ready before it
// knows what it has to wait for.
func (g *generation) export(custom []customresource.Kind) {
	kinds := slices.Clone(g.builtin)
	for _, k := range custom {
		kinds = append(kinds, replica.Kind{Name: k.Name, Resource: k.Resource, Namespaced: k.Namespaced, Custom: true, JSON: true, Renderer: k.Renderer})
	}
	g.replica.SetKinds(kinds)
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.complete && g.plan != nil {
		g.replica.Follow(*g.plan)
	}
	g.complete = true
}

// holds reports whether the generation has all that its plan asks for; without a plan there is nothing to wait for.
func (g *generation) holds() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.plan == nil || g.complete && g.replica.Holds(*g.plan).All
}

var errNoDefinitions = errors.New("the definitions of custom resources are not known yet")

// ready is nil once the generation serves all that it has to.
func (g *generation) ready() error {
	g.mu.Lock()
	complete := g.complete
	g.mu.Unlock()
	if !complete {
		return errNoDefinitions
	}
	return g.replica.Ready()
}

// live shows the generation that is served now to the web. It implements [web.Exporter].
type live struct {
	serving atomic.Pointer[generation]
	leaving atomic.Bool // another replica is to take over
}

var errLeaving = errors.New("stopping; another replica is about to serve this shard")

// handOver makes this replica not ready, for another to take over, if there is one. What it serves is served on.
func (l *live) handOver(leaving bool) { l.leaving.Store(leaving) }

// Ready implements [web.Exporter].
func (l *live) Ready() error {
	if l.leaving.Load() {
		return errLeaving
	}
	return l.serving.Load().ready()
}

// Resources implements [web.Exporter].
func (l *live) Resources() []string { return l.serving.Load().replica.Resources() }

// Snapshot implements [web.Exporter].
func (l *live) Snapshot(f store.Format, include func(resource string) bool) (web.Snapshot, error) {
	g := l.serving.Load()
	if err := g.ready(); err != nil {
		return nil, err
	}
	snapshot, err := g.replica.Collect(f, include)
	if err != nil { // a nil *store.Snapshot would not be a nil web.Snapshot
		return nil, err
	}
	return snapshot, nil
}
