package replica

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"

	"k8s.io/client-go/rest"

	"github.com/statefleet/statefleet/shard"
	"github.com/statefleet/statefleet/store"
	"github.com/statefleet/statefleet/watch"
)

// Replica exports the objects of one shard. Make one with New, run it with Run;
// the other methods may be called at any time by any goroutine.
type Replica struct {
	options Options
	logger  *slog.Logger
	client  rest.Interface
	json    rest.Interface // for kinds that are read as JSON only
	budget  *store.Budget

	// held is what the Sources keep of what they read.
	held atomic.Pointer[shard.Ranges]

	// settled is the plan that is followed, once all that it asks for is held.
	settled atomic.Pointer[shard.Plan]

	assigned  latest[shard.Plan]
	wanted    latest[[]Kind]
	selection *selection // nil unless namespaces are selected by label

	mu      sync.Mutex
	kinds   []*kind // replaced, never changed
	waiting error   // why nothing is followed yet
	ready   bool    // a page was complete, and has been since
}

// New returns a Replica. It fails when the way to the API server is no good.
func New(o Options) (*Replica, error) {
	client, err := watch.NewClient(o.Config, watch.AcceptBoth)
	if err != nil {
		return nil, err
	}
	jsonClient, err := watch.NewClient(o.Config, watch.AcceptJSON)
	if err != nil {
		return nil, err
	}
	r := &Replica{
		options:  o,
		logger:   o.Logger,
		client:   client,
		json:     jsonClient,
		budget:   store.NewBudget(o.RawBytes),
		assigned: newLatest[shard.Plan](),
		wanted:   newLatest[[]Kind](),
		waiting:  errNoShard,
	}
	r.selection = r.selectNamespaces()
	for _, k := range o.Kinds {
		r.kinds = append(r.kinds, r.newKind(k))
	}
	return r, nil
}

// Assign is Follow for a replica that coordinates with nobody.
func (r *Replica) Assign(a shard.Assignment) { r.Follow(shard.Alone(a)) }

// SetKinds replaces the kinds that are followed, in the order of the page. Those
// that stay, by name and resource, keep what they hold; new ones are shown once
// they are complete. SetKinds does not wait.
func (r *Replica) SetKinds(kinds []Kind) { r.wanted.put(kinds) }

// latest hands the newest of several values to a receiver that may be busy.
type latest[T any] chan T

func newLatest[T any]() latest[T] { return make(latest[T], 1) }

func (l latest[T]) put(v T) {
	for {
		select {
		case l <- v:
			return
		default:
		}
		select { // a value that was not taken is out of date now
		case <-l:
		default:
		}
	}
}

// current returns the kinds of this moment.
func (r *Replica) current() []*kind {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.kinds
}

func (r *Replica) isReady() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ready
}

var (
	errNoShard      = errors.New("no shard assigned yet")
	errNothing      = errors.New("this replica has no shard: its ordinal is outside of the fleet, or the fleet has not changed over to include it")
	errNoNamespaces = errors.New("the selected namespaces are not listed yet")
)

// Ready returns nil when the replica serves all of its shard; else an error
// that says what it waits for. Once ready it stays so: while the API server is
// away, or the shard changes, what is known is served on. Only when it comes to
// own nothing it is not ready any more.
func (r *Replica) Ready() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.ready:
		return nil
	case r.waiting != nil:
		return r.waiting
	}
	if names := incomplete(r.kinds); len(names) > 0 {
		return fmt.Errorf("not synced yet: %s", strings.Join(names, ", "))
	}
	return errors.New("synced, about to serve")
}

// incomplete returns the names of the kinds that have to be waited for.
//
// When none has been listed, all are: an API server that has just started
// refuses for a moment everything that it allows, and what is served must not
// be nothing for that.
func incomplete(kinds []*kind) []string {
	var names, waited []string
	listed := len(kinds) == 0
	for _, k := range kinds {
		listed = listed || k.status().Synced
		if k.late {
			continue
		}
		waited = append(waited, k.Name)
		if !k.complete() {
			names = append(names, k.Name)
		}
	}
	if !listed {
		return waited
	}
	return names
}

// Resources returns the names of the kinds.
func (r *Replica) Resources() []string {
	var names []string
	for _, k := range r.current() {
		names = append(names, k.Name)
	}
	return names
}

// Collect returns the page of the kinds that include admits, as it is now.
func (r *Replica) Collect(f store.Format, include func(resource string) bool) *store.Page {
	r.mu.Lock()
	var stores []*store.Store
	for _, k := range r.kinds {
		if !k.late && include(k.Name) {
			stores = append(stores, k.store)
		}
	}
	r.mu.Unlock()
	return store.Collect(f, stores...)
}
