package replica

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/client-go/rest"

	"github.com/statefleet/statefleet/shard"
	"github.com/statefleet/statefleet/store"
	"github.com/statefleet/statefleet/watch"
)

// How often the replica looks after its stores, and for how long a page has to
// be quiet before it is packed.
const (
	sweepEvery = 5 * time.Second
	quietAfter = time.Minute
	syncPoll   = 50 * time.Millisecond
)

// Replica exports the objects of one shard. Make one with New, run it with Run;
// the other methods may be called at any time by any goroutine.
type Replica struct {
	options      Options
	logger       *slog.Logger
	client       rest.Interface
	watchMetrics *watch.Metrics
	kinds        []*kind

	// held is what the Sources keep of what they read.
	held atomic.Pointer[shard.Ranges]

	assigned chan shard.Assignment // the newest assignment not taken up yet

	mu        sync.Mutex
	following *following // nil before the first assignment
	ready     bool       // a page was complete once, and has been since
}

// New returns a Replica. It fails when the options don't fit together.
func New(o Options) (*Replica, error) {
	client, err := watch.NewClient(o.Config)
	if err != nil {
		return nil, err
	}
	r := &Replica{
		options:      o,
		logger:       o.Logger,
		client:       client,
		watchMetrics: watch.NewMetrics(o.Registerer),
		assigned:     make(chan shard.Assignment, 1),
	}
	budget := store.NewBudget(o.RawBytes)
	metrics := newMetrics(o.Registerer)
	for _, k := range o.Kinds {
		renderer, err := k.Renderer(o.Filter)
		if err != nil {
			return nil, err
		}
		r.kinds = append(r.kinds, &kind{
			Kind:     k,
			renderer: renderer,
			store:    store.New(families(renderer), budget),
			limit:    o.ObjectLimit,
			counters: metrics.counters(k.Name()),
			logger:   o.Logger.With("resource", k.Name()),
			scopes:   o.scopes(k),
		})
	}
	o.Registerer.MustRegister(newCollector(r, budget))
	return r, nil
}

// Assign tells the replica its shard. The first call starts it; later ones
// change what it serves, without a gap. Assign does not wait.
func (r *Replica) Assign(a shard.Assignment) {
	for {
		select {
		case r.assigned <- a:
			return
		default:
		}
		select { // an assignment that was not taken up is out of date now
		case <-r.assigned:
		default:
		}
	}
}

// Run follows the API server until ctx ends and everything it started has ended.
func (r *Replica) Run(ctx context.Context) error {
	var first shard.Assignment
	select {
	case <-ctx.Done():
		return nil
	case first = <-r.assigned:
	}
	for first.Ranges() == nil {
		r.logger.Warn("this replica's ordinal is outside of the fleet; waiting for a shard", "ordinal", first.Ordinal, "total", first.Total)
		select {
		case <-ctx.Done():
			return nil
		case first = <-r.assigned:
		}
	}
	g := ranges{first.Ranges(), first.Ranges()}
	r.logger.Info("starting", "shard", first.String(), "share", g.now.Share())
	r.held.Store(&g.now)
	r.setFollowing(r.follow(ctx))
	defer func() { r.current().stop() }()
	return r.loop(ctx, g)
}

func (r *Replica) loop(ctx context.Context, g ranges) error {
	sweep, poll := time.NewTicker(sweepEvery), time.NewTicker(syncPoll)
	defer sweep.Stop()
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case a := <-r.assigned:
			g = r.change(ctx, g, a)
		case <-poll.C:
			if g.changing() || !r.isReady() {
				g = r.settle(g)
			}
		case now := <-sweep.C:
			for _, k := range r.kinds {
				k.store.Sweep(quietAfter, now)
			}
		}
	}
}

func (r *Replica) setFollowing(f *following) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.following = f
}

func (r *Replica) current() *following {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.following
}

func (r *Replica) isReady() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ready
}

var errNoShard = errors.New("no shard assigned yet")

// Ready returns nil when the replica serves all of its shard; else an error
// that says what it waits for. Once ready it stays so: while the API server is
// away, or the shard changes, what is known is served on.
func (r *Replica) Ready() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.ready:
		return nil
	case r.following == nil:
		return errNoShard
	}
	if err := r.following.missing(); err != nil {
		return err
	}
	return fmt.Errorf("synced, about to serve")
}

// Resources returns the names of the enabled kinds.
func (r *Replica) Resources() []string {
	names := make([]string, len(r.kinds))
	for i, k := range r.kinds {
		names[i] = k.Name()
	}
	return names
}

// Collect returns the page of the kinds that include admits, as it is now.
func (r *Replica) Collect(f store.Format, include func(resource string) bool) *store.Page {
	var stores []*store.Store
	for _, k := range r.kinds {
		if include(k.Name()) {
			stores = append(stores, k.store)
		}
	}
	return store.Collect(f, stores...)
}
