package replica

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/internal/watch/verify"
	"github.com/statefleet/statefleet/shard"
	"github.com/statefleet/statefleet/store"
)

// Replica exports the objects of one shard. Make one with New, run it with Run;
// the other methods may be called at any time by any goroutine.
type Replica struct {
	options Options
	logger  *slog.Logger
	client  *watch.Client
	json    *watch.Client // for kinds that are read as JSON only
	budget  *store.Budget

	// held is what the Reflectors keep of what they read.
	held atomic.Pointer[shard.Ranges]

	// visible is what is served.
	visible atomic.Pointer[shard.Ranges]

	// appliedPlan is the plan that is followed, once all that it asks for is held.
	appliedPlan atomic.Pointer[shard.Plan]

	// prepared is the plan that is followed, once its part of the target is held.
	preparedPlan atomic.Pointer[shard.Plan]

	assigned     latest[shard.Plan]
	wanted       latest[[]Kind]
	repair       chan repair
	namespaceSet *namespaceSet // nil unless namespaces are selected by label

	mu      sync.Mutex
	kinds   []*kind // replaced, never changed
	waiting error   // why nothing is followed yet
	ready   bool    // everything that must be held was held, and has been served since unless other replicas serve it
	serving bool    // something is shown
}

// New returns a Replica. It fails when the way to the API server is no good.
func New(o Options) (*Replica, error) {
	if o.ForbiddenGrace == 0 {
		o.ForbiddenGrace = defaultPatience
	}
	if o.Verifier == nil {
		o.Verifier = verify.New(verify.Options{Metrics: o.Metrics.verify})
	}
	if o.ObjectBytes == 0 {
		o.ObjectBytes = defaultObjectBytes
	}
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
		repair:   make(chan repair),
		waiting:  errNoShard,
	}
	r.namespaceSet = r.selectNamespaces()
	for _, k := range o.Kinds {
		r.kinds = append(r.kinds, r.newKind(k))
	}
	return r, nil
}

// Assign is Follow for a replica without coordination.
func (r *Replica) Assign(a shard.Assignment) { r.Follow(shard.Uncoordinated(a)) }

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

// Idle reports whether the replica holds nothing. It may be called at any time.
func (r *Replica) Idle() bool {
	held := r.held.Load()
	return held == nil || len(*held) == 0
}

// defaultPatience is longer than an API server that starts takes to read its
// roles, and no longer than people wait who do not allow a kind.
const defaultPatience = 10 * time.Second

// Resources returns the names of the kinds.
func (r *Replica) Resources() []string {
	var names []string
	for _, k := range r.current() {
		names = append(names, k.Name)
	}
	return names
}
