package watch

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/statefleet/statefleet/internal/watch/sharding"
	"github.com/statefleet/statefleet/internal/wire"
	"github.com/statefleet/statefleet/shard"
)

// Object is one version of an owned object as the API server sent it. Its slices are valid until
// the call that receives it returns.
type Object struct {
	wire.Meta
	// Hash is [shard.HashObject] of the object.
	Hash uint64
	// Raw is the encoded object, for Protobuf the message inside the envelope; for Delete it is the
	// last state of the object.
	Raw      []byte
	Encoding wire.Encoding
}

// newObject reads the identity of an object.
func newObject(enc wire.Encoding, raw []byte) (Object, error) {
	m, err := wire.ReadMeta(enc, raw)
	if err != nil {
		return Object{}, err
	}
	return Object{Meta: m, Hash: shard.HashObject(m.UID, m.Namespace, m.Name), Raw: raw, Encoding: enc}, nil
}

// ObjectRef names an object of a list.
type ObjectRef struct{ Namespace, Name, UID string }

func newObjectRef(m wire.Meta) ObjectRef {
	return ObjectRef{Namespace: string(m.Namespace), Name: string(m.Name), UID: string(m.UID)}
}

// Handler receives what a Reflector reads. A Reflector calls it from one goroutine at a time. Its
// methods cannot fail: the Handler itself counts objects that it cannot use.
type Handler interface {
	// Owns reports whether the Handler wants an object, by the Object's Hash and namespace. It is
	// called for every object that is received, before anything else of it is decoded, and by
	// ListMetadata, concurrently with the other methods. Its answers may change.
	Owns(hash uint64, namespace []byte) bool
	// Put adds or updates an object. A version may come again, and an older one after a newer one when
	// one API server lags behind another; the Handler ignores both. Put returns false for an object
	// that it has no room for; the list that is being read then leaves it out.
	Put(o Object) (accepted bool)
	// Delete removes an object.
	Delete(o Object)
	// Replace ends a complete list. It receives the list's resourceVersion, and the objects of the
	// list that Put has accepted. Other objects of the store do not exist or had no room.
	Replace(all []ObjectRef, resourceVersion string)
}

// Options configure a Reflector.
type Options struct {
	// Client sends the requests; see NewClient. Reflectors share one.
	Client *Client
	// Resource is the resource that is listed and watched.
	Resource schema.GroupVersionResource
	// Name is the resource's name in logs and self-metrics; "" stands for its plural.
	Name string
	// Form is the part of each object that is requested. With Metadata, whole objects are never
	// requested: an API server that can send nothing else counts as one without the resource.
	Form wire.Form
	// Namespace restricts the Reflector to one namespace; "" means all.
	Namespace string
	// FieldSelector and LabelSelector restrict the objects on the API server's side; "" means all.
	FieldSelector, LabelSelector string
	// AllowStaleList lets API servers answer lists from their cache, which spares etcd a read. The
	// first list may then be older than the newest state.
	AllowStaleList bool
	// Selector returns the shardSelector of all that is owned (KEP-5866), as shard.Ranges write it; ""
	// sends none. Servers that do not know it send everything.
	Selector func() string
	// Sharding is the knowledge about the API server's sharding. Reflectors of one API server share
	// it; nil stands for a new one.
	Sharding *sharding.Server
	// Backoff spaces the requests while the API server cannot be used. The default, when Duration is
	// 0, starts at 0.5 s, doubles up to 10 s, and adds up to half at random.
	Backoff wait.Backoff
	// IdleTimeout is how long a list may be silent, and how long a watch may outlast the requested
	// time; 0 means 2 minutes.
	IdleTimeout time.Duration
	// Handler receives the owned objects.
	Handler Handler
	// Resume, unless it is nil, says that the Handler has objects from an earlier process.
	Resume *Resume
	// Discard, unless it is nil, is called while no list was complete and no watch has caught up, when the
	// API server refuses the resource, or its versions have gone back. The Handler must then drop the
	// objects of Resume, or those of a list that broke off, unless an earlier Reflector has completed them.
	// Discard is called as the Handler's methods are.
	Discard func()
	// Metrics are the self-metrics; Reflectors share one.
	Metrics *Metrics
	// Logger gets a line for each change of the Reflector's status.
	Logger *slog.Logger
}

// Reflector keeps a Handler up to date with one resource. Make one with New. Its methods may be
// called concurrently, except where they say otherwise.
type Reflector struct {
	Options
	counters *counters
	logger   *slog.Logger
	status   statusTracker
	limiter  limiter

	serverVersion       atomic.Uint64 // see ServerVersion
	logFirstDecodeError sync.Once
	relistAfter         time.Duration // see skipFrame; tests change it and minWatch
	minWatch            time.Duration

	// The goroutine of Run alone uses the progress of a Reflector that resumes.
	target   uint64 // the version of the API server when Run began; 0: not known yet
	catchUps int    // watches that have ended without having caught up

	// version is where the next watch starts, and resuming says that the watch has not caught up yet.
	// Only the goroutine of Run changes them, and it holds mu to do so.
	version  string
	resuming bool

	// mu is held during each call of the Handler, and guards the fields below.
	mu       sync.Mutex
	stopped  bool
	complete bool               // the last list is complete; otherwise Run lists next
	lists    int                // that were required; each list begins with that
	cancel   context.CancelFunc // ends the last watch, unless it has ended
	opened   chan string        // receives the version of the next watch; nil if no caller waits
	relist   *time.Timer        // requires a list; nil if none is scheduled; see skipFrame
	relisted time.Time          // when relist last required a list
}

// New returns a Reflector that starts with Run.
func New(o Options) *Reflector {
	if o.Name == "" {
		o.Name = o.Resource.Resource
	}
	if o.Backoff.Duration == 0 {
		o.Backoff = wait.Backoff{Duration: 500 * time.Millisecond, Factor: 2, Jitter: 0.5, Steps: 1 << 20, Cap: 10 * time.Second}
	}
	if o.Sharding == nil {
		o.Sharding = sharding.New(o.Metrics.Mismatches)
	}
	if o.IdleTimeout == 0 {
		o.IdleTimeout = 2 * time.Minute // an API server takes up to one to answer
	}
	r := &Reflector{
		Options: o, counters: o.Metrics.counters(o.Name), status: statusTracker{status: Status{Phase: Pending}},
		limiter: limiter{start: o.Backoff}, relistAfter: relistAfter, minWatch: minWatch, cancel: func() {},
	}
	r.logger = o.Logger.With("resource", o.Name)
	if o.Namespace != "" {
		r.logger = r.logger.With("namespace", o.Namespace)
	}
	if o.Resume != nil {
		r.version, r.complete, r.resuming = o.Resume.Version, true, true
	}
	return r
}

// Run lists the resource, unless it can resume, and watches it until ctx ends. Nothing reaches the
// Handler after it has returned. It is called once.
func (r *Reflector) Run(ctx context.Context) {
	defer r.stop()
	for r.limiter.wait(ctx) {
		var err error
		switch {
		case !r.hasCompleteList():
			err = r.list(ctx)
		case r.resuming:
			err = r.resume(ctx)
		default:
			_, err = r.watch(ctx, metav1.ListOptions{ResourceVersion: r.version})
		}
		r.limiter.failed = err != nil
	}
}

func (r *Reflector) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = true
	r.complete = r.complete && r.relist == nil // see ResumeVersion
	r.stopRelist()
}

// hasCompleteList reports whether the last list is complete, so that a watch can continue from it.
func (r *Reflector) hasCompleteList() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.complete
}

// requireList ends the watch, and makes Run list everything next.
func (r *Reflector) requireList() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.complete = false
	r.lists++
	r.stopRelist()
	if r.opened != nil {
		close(r.opened) // no watch is opened next
		r.opened = nil
	}
	r.cancel()
}

// replace ends a complete list. The goroutine of Run calls it.
func (r *Reflector) replace(refs []ObjectRef, version string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.version, r.complete, r.resuming = version, true, false
	r.limiter.listed()
	r.observe(version)
	r.Handler.Replace(refs, version)
	r.status.synced(r.logger, "synced", "objects", len(refs))
}

// owns reports whether the Handler wants an object, and counts it. The caller holds r.mu.
func (r *Reflector) owns(o Object) bool {
	if r.Handler.Owns(o.Hash, o.Namespace) {
		r.counters.owned.Inc()
		return true
	}
	r.ignore(o)
	return false
}

// ignore counts an object that is not passed to the Handler.
func (r *Reflector) ignore(o Object) {
	r.counters.ignored.Inc()
	r.counters.ignoredBytes.Add(float64(len(o.Raw)))
}

// ServerVersion returns the newest version of a list or bookmark of the API server. It is 0 before
// the first one, and if versions are not numbers.
func (r *Reflector) ServerVersion() uint64 { return r.serverVersion.Load() }

// observe records a version of the API server. One goroutine at a time calls it.
func (r *Reflector) observe(version string) {
	if v := ParseVersion(version); v > r.serverVersion.Load() {
		r.serverVersion.Store(v)
	}
}
