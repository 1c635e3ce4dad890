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

// defaultForbiddenGrace is longer than an API server takes to read its roles when it starts. It
// delays the readiness of a replica that is deliberately not allowed to read a kind.
const defaultForbiddenGrace = 10 * time.Second

// Replica exports the objects of one shard. Make one with New and run it with Run. The other
// methods may be called at any time by any goroutine.
type Replica struct {
	options Options
	logger  *slog.Logger
	client  *watch.Client
	json    *watch.Client // for custom kinds
	budget  *store.Budget

	held     atomic.Pointer[shard.Ranges] // the ranges whose objects are stored
	visible  atomic.Pointer[shard.Ranges] // the ranges that are served
	progress atomic.Pointer[progress]

	newPlan        latest[shard.Plan]
	newKinds       latest[[]Kind]
	relistRequests chan *kind
	namespaceSet   *namespaceSet // nil unless namespaces are selected by label

	mu      sync.Mutex
	kinds   []*kind // replaced, never changed
	waiting error   // why nothing is listed yet; nil otherwise
	ready   bool    // see Ready
	serving bool    // at least one range is visible
}

// New returns a Replica. The error is that of the client of the API server, for example because of
// an invalid certificate.
func New(o Options) (*Replica, error) {
	if o.ForbiddenGrace == 0 {
		o.ForbiddenGrace = defaultForbiddenGrace
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
		options:        o,
		logger:         o.Logger,
		client:         client,
		json:           jsonClient,
		budget:         store.NewBudget(o.RawBytes),
		newPlan:        newLatest[shard.Plan](),
		newKinds:       newLatest[[]Kind](),
		relistRequests: make(chan *kind),
		waiting:        errNotAssigned,
	}
	r.held.Store(new(shard.Ranges))
	r.visible.Store(new(shard.Ranges))
	r.progress.Store(new(progress))
	if o.KindsFollow {
		r.waiting = errKindsUnknown
	}
	r.namespaceSet = r.newNamespaceSet()
	for _, k := range o.Kinds {
		r.kinds = append(r.kinds, r.newKind(k))
	}
	return r, nil
}

// SetKinds replaces the exported kinds, in the order of the exposition. Kinds with the same name,
// resource and Renderer as before keep their objects. New ones become visible once they are
// complete. SetKinds does not wait.
func (r *Replica) SetKinds(kinds []Kind) { r.newKinds.put(kinds) }

// latest is a channel that holds the newest value only. Sending to it never blocks.
type latest[T any] chan T

func newLatest[T any]() latest[T] { return make(latest[T], 1) }

func (l latest[T]) put(v T) {
	for {
		select {
		case l <- v:
			return
		default:
		}
		select { // the value before it is obsolete
		case <-l:
		default:
		}
	}
}

// current returns the present kinds.
func (r *Replica) current() []*kind {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.kinds
}

// Idle reports whether the replica holds no ranges. It may be called at any time.
func (r *Replica) Idle() bool { return len(*r.held.Load()) == 0 }

// Resources returns the names of the present kinds.
func (r *Replica) Resources() []string {
	var names []string
	for _, k := range r.current() {
		names = append(names, k.Name)
	}
	return names
}
