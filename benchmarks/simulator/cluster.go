package simulator

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
)

// Options configure a Cluster. The zero value is a server of today's
// defaults: watch-list on, server-side sharding off, plain HTTP.
type Options struct {
	// ShardSelector honours the shardSelector parameter, as a server with the
	// alpha gate ShardedListAndWatch does (KEP-5866). Off: it is ignored.
	ShardSelector bool
	// NoWatchList refuses sendInitialEvents with 422, as servers without the
	// WatchList gate do, so that clients fall back to lists.
	NoWatchList bool
	// TLS serves HTTPS with a certificate made at start, which
	// WriteKubeconfig includes. It brings HTTP/2.
	TLS bool
	// BookmarkInterval is the time between two bookmarks of a watch that
	// allows them. Default: one minute.
	BookmarkInterval time.Duration
	// LogEvents and LogBytes bound the event log of each resource: a watch
	// that starts behind it is told 410 Gone, one that falls behind it is
	// ended. LogBytes counts superseded states only. Defaults: 16384, 64 MiB.
	LogEvents, LogBytes int
	// Seed is for UIDs of objects that are put without one.
	Seed uint64
}

// Cluster is a store of API objects that HTTP handlers serve. All methods may
// be called concurrently.
type Cluster struct {
	options     Options
	kinds       []Kind
	revision    atomic.Uint64
	collections map[schema.GroupVersionResource]*collection // never changes
	byKind      map[schema.GroupVersionKind]*collection     // the same
	total       traffic
	answers     *answerPool

	mu      sync.Mutex
	uids    *rand.Rand
	closing chan struct{} // closed by CloseWatches
	started endpoint      // of the latest Start
}

const defaultLogBytes = 64 << 20

// New returns an empty cluster.
func New(options Options) *Cluster {
	if options.BookmarkInterval <= 0 {
		options.BookmarkInterval = time.Minute
	}
	if options.LogEvents <= 0 {
		options.LogEvents = 16384
	}
	if options.LogBytes <= 0 {
		options.LogBytes = defaultLogBytes
	}
	c := &Cluster{
		options:     options,
		kinds:       Kinds(),
		collections: map[schema.GroupVersionResource]*collection{},
		byKind:      map[schema.GroupVersionKind]*collection{},
		answers:     &answerPool{},
		uids:        newUIDs(options.Seed),
		closing:     make(chan struct{}),
	}
	c.total = newTraffic(c.kinds)
	c.revision.Store(1) // 0 means "any" to clients
	for _, kind := range c.kinds {
		log := eventLog{maxEvents: options.LogEvents, maxBytes: options.LogBytes}
		collection := newCollection(kind, &c.revision, log)
		c.collections[kind.GroupVersion().WithResource(kind.Resource)] = collection
		c.byKind[kind.GroupVersionKind] = collection
	}
	return c
}

// Put creates the object or replaces the one of that name. It sets obj's
// resourceVersion, and its uid if that is empty (to that of the replaced
// object, if any); it keeps no reference to obj. An object that is replaced
// under another uid is deleted first, as it would be in a real cluster.
func (c *Cluster) Put(obj Object) error {
	collection, err := c.collectionOf(obj)
	if err != nil {
		return err
	}
	if obj.GetName() == "" || (obj.GetNamespace() != "") != collection.kind.Namespaced {
		return fmt.Errorf("put %s %q/%q: a name is needed, and a namespace for namespaced kinds only",
			collection.kind.Resource, obj.GetNamespace(), obj.GetName())
	}
	return collection.put(obj, c.newUID)
}

// Delete removes the object of obj's kind, namespace and name; nothing else
// of obj is looked at. The error is a NotFound status if there is none.
func (c *Cluster) Delete(obj Object) error {
	collection, err := c.collectionOf(obj)
	if err != nil {
		return err
	}
	return collection.remove(objectKey{namespace: obj.GetNamespace(), name: obj.GetName()})
}

// Get reads the object of obj's kind, namespace and name into obj. The error
// is a NotFound status if there is none.
func (c *Cluster) Get(obj Object) error {
	collection, err := c.collectionOf(obj)
	if err != nil {
		return err
	}
	held := collection.get(objectKey{namespace: obj.GetNamespace(), name: obj.GetName()})
	if held == nil {
		return apierrors.NewNotFound(collection.kind.groupResource(), obj.GetName())
	}
	return held.decodeInto(obj)
}

// Modify reads the object of obj's kind, namespace and name into obj, lets
// change edit it, and stores it, as one step. The error is a NotFound status
// if there is none. change must not call the cluster.
func (c *Cluster) Modify(obj Object, change func()) error {
	collection, err := c.collectionOf(obj)
	if err != nil {
		return err
	}
	return collection.modify(objectKey{namespace: obj.GetNamespace(), name: obj.GetName()}, obj, change)
}

// Names lists the objects of a resource, such as "pods", in list order.
func (c *Cluster) Names(resource string) []types.NamespacedName {
	var names []types.NamespacedName
	for gvr, collection := range c.collections {
		if gvr.Resource != resource {
			continue
		}
		items, _, _ := collection.state()
		for _, o := range items {
			names = append(names, types.NamespacedName{Namespace: o.namespace, Name: o.name})
		}
	}
	return names
}

// Len is the number of objects of all kinds.
func (c *Cluster) Len() int {
	n := 0
	for _, collection := range c.collections {
		n += collection.len()
	}
	return n
}

// ResourceVersion is the present one. Each change of an object raises it by
// one, so differences count events.
func (c *Cluster) ResourceVersion() uint64 { return c.revision.Load() }

// KeepEvents bounds the event log of each resource again, as LogBytes does. 0 is its default.
func (c *Cluster) KeepEvents(bytes int) {
	if bytes <= 0 {
		bytes = defaultLogBytes
	}
	for _, collection := range c.collections {
		collection.keepEvents(bytes)
	}
}

// Compact forgets all past events: watches from an older resourceVersion and
// unfinished paged lists get 410 Gone.
func (c *Cluster) Compact() {
	for _, collection := range c.collections {
		collection.compact()
	}
}

// CloseWatches ends all watches that are open now, as a restart of an API
// server does.
func (c *Cluster) CloseWatches() {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.closing)
	c.closing = make(chan struct{})
}

func (c *Cluster) closingChannel() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closing
}

// Traffic is what all handlers of the cluster have served, by resource.
func (c *Cluster) Traffic() map[string]Traffic { return c.total.load() }

func (c *Cluster) newUID() types.UID {
	c.mu.Lock()
	defer c.mu.Unlock()
	return randomUID(c.uids)
}

// collectionOf finds where objects of obj's type live.
func (c *Cluster) collectionOf(obj Object) (*collection, error) {
	if obj == nil {
		return nil, errors.New("the object is nil")
	}
	gvks, _, err := scheme.Scheme.ObjectKinds(obj)
	if err != nil {
		return nil, fmt.Errorf("kind of %T: %w", obj, err)
	}
	for _, gvk := range gvks {
		if collection := c.byKind[gvk]; collection != nil {
			return collection, nil
		}
	}
	return nil, fmt.Errorf("%T is not a kind that is served", obj)
}
