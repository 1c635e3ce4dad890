package watch

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/statefleet/statefleet/internal/wire"
)

// Object is one version of an owned object as it came from the API server.
// Its slices are valid until the call that it is given to returns.
type Object struct {
	wire.Meta
	// Hash is the shard hash of the object's UID, or of its namespace and name
	// when it has no UID.
	Hash uint64
	// Raw are the object's bytes, for Protobuf the message inside the envelope;
	// for Delete those of its last state.
	Raw      []byte
	Encoding wire.Encoding
}

// Sink takes what a Source reads. It is called by one goroutine at a time for
// each Source, and its methods can't fail: whatever is wrong with an object is
// the Sink's to count.
type Sink interface {
	// Put adds or updates an object. Versions may come again, and older ones
	// after newer ones when API servers differ in age; they are to be ignored.
	// It returns false for an object that it has no room for. A list keeps nothing of
	// it then: there may be any number of them.
	Put(o Object) (room bool)
	// Delete removes an object.
	Delete(o Object)
	// Retain says that a complete list, made at a resourceVersion, held these
	// objects and no others that there was room for.
	Retain(all []*Handle, resourceVersion string)
}

// Options say what a Source follows.
type Options struct {
	// Client sends the requests; see NewClient. Sources share one.
	Client *Client
	// Resource is the resource that is listed and watched.
	Resource schema.GroupVersionResource
	// Name names the resource in logs and self-metrics; "" stands for its plural.
	Name string
	// Form is the part of each object that is asked for. With Metadata, whole objects are never asked for: an API
	// server that can send nothing else is taken for one that does not have the resource.
	Form wire.Form
	// Namespace restricts the Source to one namespace; "" means all.
	Namespace string
	// FieldSelector restricts the objects on the server's side; "" means all.
	FieldSelector string
	// LabelSelector restricts the objects on the server's side; "" means all.
	LabelSelector string
	// Wanted decides by namespace whether an object is held; nil means that all
	// are. It is asked like Owned is.
	Wanted func(namespace []byte) bool
	// CachedReads lets the first list be as old as an API server's cache
	// happens to be, which spares etcd a read.
	CachedReads bool
	// Owned decides by an object's Hash whether it is held. It is called for
	// every object on the wire and may change its mind between calls.
	Owned func(hash uint64) bool
	// Selector returns the shardSelector sent with every request (KEP-5866), as
	// shard.Ranges have it; "" sends none. Servers that don't know it send everything.
	Selector func() string
	// Sharding is what is known of the API server's sharding; Sources of one API
	// server share one. nil stands for one of its own.
	Sharding *ServerSharding
	// Backoff spaces the requests while the API server cannot be used. Default,
	// when Duration is 0: from 0.5 s doubling to 10 s, and up to half as much again
	// by chance.
	Backoff wait.Backoff
	// Silence is how long a list may bring nothing, and a watch outlast the time
	// that was asked for; 0 means 2 minutes.
	Silence time.Duration
	// Sink takes the owned objects.
	Sink Sink
	// Metrics count; sources share one.
	Metrics *Metrics
	// Logger gets a line for each change of the Source's state.
	Logger *slog.Logger
}

// Source follows the objects of one resource. Make one with NewSource.
type Source struct {
	Options
	counters *counters
	logger   *slog.Logger
	state    state
	pace     pace
	heard    atomic.Uint64 // see Heard

	loggedUnreadable sync.Once

	// mu makes sure that nothing reaches the Sink once Run has returned, or
	// from a watch that was closed: a late version would bring back an object
	// that a newer list no longer had.
	mu        sync.Mutex
	stopped   bool
	relisting relisting
	// listed is set while the last list that was begun is complete.
	listed bool
	stream *stream     // the watch that is read; nil before the first
	opened chan string // told of the next watch that is opened; see reopen
	// streamed is the streamed list that the reflector is about to replace its own
	// by, if there is one.
	streamed *streamedList
}

// streamedList is what a streamed list was made of. The reflector is not shown
// its objects, and calls Replace without any. What was deleted while the list came
// may be named in it; the Sink has heard of that.
type streamedList struct {
	handles  []*Handle
	version  string
	replaced chan struct{} // closed by Replace
}

// awaitReplace returns what is closed once the reflector has replaced its list
// by this one.
func (s *Source) awaitReplace(handles []*Handle, version string) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.streamed = &streamedList{handles, version, make(chan struct{})}
	return s.streamed.replaced
}

// NewSource returns a Source that starts with Run.
func NewSource(o Options) *Source {
	if o.Name == "" {
		o.Name = o.Resource.Resource
	}
	if o.Backoff.Duration == 0 {
		o.Backoff = wait.Backoff{Duration: 500 * time.Millisecond, Factor: 2, Jitter: 0.5, Steps: 1 << 20, Cap: 10 * time.Second}
	}
	if o.Sharding == nil {
		o.Sharding = NewServerSharding(ServerShardingOptions{Metrics: o.Metrics})
	}
	if o.Silence == 0 {
		o.Silence = 2 * time.Minute // an API server takes up to one to answer
	}
	s := &Source{Options: o, counters: o.Metrics.counters(o.Name), pace: pace{backoff: o.Backoff}, relisting: relisting{after: relistAfter}}
	s.logger = o.Logger.With("resource", o.Name)
	if o.Namespace != "" {
		s.logger = s.logger.With("namespace", o.Namespace)
	}
	return s
}

// Run follows the resource until ctx ends; nothing reaches the Sink after it
// has returned. It is called once.
func (s *Source) Run(ctx context.Context) {
	quiet := logr.FromSlogHandler(debugHandler{s.logger.Handler()})
	r := cache.NewReflectorWithOptions(s, &Handle{}, reflectorStore{s}, cache.ReflectorOptions{
		Name:            "statefleet/" + s.Name,
		TypeDescription: s.Name,
		Logger:          &quiet,
		Clock:           endingClock{ctx: ctx},
		Backoff:         &s.Backoff,
	})
	r.RunWithContext(klog.NewContext(ctx, quiet))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	s.relisted()
}

// Heard returns the newest version that the API server has named as its own: that
// of a list, or of a bookmark. It is 0 while there is none, and where versions are
// no numbers. It may be called at any time.
func (s *Source) Heard() uint64 { return s.heard.Load() }

// hear is called by one goroutine at a time.
func (s *Source) hear(version string) {
	if v := ParseVersion(version); v > s.heard.Load() {
		s.heard.Store(v)
	}
}

// apply gives an object with the hash h to a method of the Sink if it is to be
// held, and returns what that returns. The caller holds s.mu.
func (s *Source) apply(to func(Object) bool, owned func(hash uint64) bool, meta wire.Meta, h uint64, enc wire.Encoding, raw []byte) bool {
	if !owned(h) || !s.Owned(h) || s.Wanted != nil && !s.Wanted(meta.Namespace) {
		s.counters.ignored.Inc()
		s.counters.ignoredBytes.Add(float64(len(raw)))
		return false
	}
	s.counters.owned.Inc()
	return to(Object{Meta: meta, Hash: h, Raw: raw, Encoding: enc})
}

// reflectorStore is what the reflector believes to fill. Objects are already
// in the Sink when it hears of them; what is left for it is the moment in which
// a list is complete.
type reflectorStore struct{ s *Source }

func (r reflectorStore) Add(any) error    { return nil }
func (r reflectorStore) Update(any) error { return nil }
func (r reflectorStore) Delete(any) error { return nil }
func (r reflectorStore) Resync() error    { return nil }

func (r reflectorStore) Replace(items []any, resourceVersion string) error {
	handles := make([]*Handle, 0, len(items))
	for _, item := range items {
		if h, ok := item.(*Handle); ok {
			handles = append(handles, h)
		}
	}
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if l := r.s.streamed; l != nil {
		if l.version == resourceVersion {
			handles = l.handles
		}
		close(l.replaced)
		r.s.streamed = nil
	}
	r.s.listed = true
	r.s.relisted()
	if !r.s.stopped {
		r.s.hear(resourceVersion)
		r.s.Sink.Retain(handles, resourceVersion)
		r.s.state.synced(r.s.logger, len(handles))
	}
	return nil
}
