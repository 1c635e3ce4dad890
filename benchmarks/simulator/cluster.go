package simulator

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"iter"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
)

// Options configure a Cluster. The zero value has the defaults of a current API
// server: watch-list on, server-side sharding off.
type Options struct {
	// ShardSelector honours the shardSelector parameter, as a server with the
	// alpha gate ShardedListAndWatch does (KEP-5866). Otherwise it is ignored.
	ShardSelector bool
	// NoWatchList refuses sendInitialEvents with 422, as servers without the
	// WatchList gate do, so that clients fall back to lists.
	NoWatchList bool
	// BookmarkInterval is the time between two bookmarks of a watch that
	// allows them. Default: one minute.
	BookmarkInterval time.Duration
	// LogEvents is the maximum number of events in the log of each resource;
	// KeepEvents limits its bytes. A watch that starts before the oldest event
	// gets 410 Gone, one that falls behind it is closed. Default: 16384.
	LogEvents int
	// Seed determines the UIDs of objects that are put without one.
	Seed uint64
}

// Cluster stores API objects and serves them over HTTP. Its methods may be
// called concurrently.
type Cluster struct {
	options   Options
	revision  atomic.Uint64
	storages  map[schema.GroupVersionResource]*storage // never changes
	byKind    map[schema.GroupVersionKind]*storage     // never changes
	discovery map[string]runtime.Object                // by path; never changes
	encodings []runtime.SerializerInfo
	closing   atomic.Pointer[chan struct{}] // closed by CloseWatches

	mu   sync.Mutex
	uids *rand.ChaCha8
}

// New returns an empty cluster.
func New(options Options) *Cluster {
	options.BookmarkInterval = cmp.Or(options.BookmarkInterval, time.Minute)
	options.LogEvents = cmp.Or(options.LogEvents, 16384)
	kinds := Kinds()
	c := &Cluster{
		options:   options,
		storages:  map[schema.GroupVersionResource]*storage{},
		byKind:    map[schema.GroupVersionKind]*storage{},
		discovery: discovery(kinds),
		encodings: newEncodings(),
		uids:      rand.NewChaCha8(sha256.Sum256(binary.BigEndian.AppendUint64(nil, options.Seed))),
	}
	c.closing.Store(new(make(chan struct{})))
	c.revision.Store(1) // 0 means "any" to clients
	for i := range kinds {
		kind := &kinds[i]
		s := newStorage(kind, &c.revision, options.LogEvents)
		c.storages[kind.GroupVersion().WithResource(kind.Resource)] = s
		c.byKind[kind.GroupVersionKind] = s
	}
	return c
}

// Put creates or replaces an object, and sets obj's resourceVersion. If obj has
// no UID, Put sets that of the replaced object, or else a new one. If the stored
// object has another UID, Put deletes it first, as it would be in a real cluster.
// Put keeps no reference to obj.
func (c *Cluster) Put(obj Object) error {
	s, err := c.storageOf(obj)
	if err != nil {
		return err
	}
	if obj.GetName() == "" || (obj.GetNamespace() != "") != s.kind.Namespaced {
		return fmt.Errorf("put %s %q/%q: must have a name, and a namespace if and only if the kind is namespaced",
			s.kind.Resource, obj.GetNamespace(), obj.GetName())
	}
	return s.put(obj, c.newUID)
}

// Populate puts all objects, such as those of a generator. It stops at the first
// error.
func (c *Cluster) Populate(objects iter.Seq[Object]) error {
	for obj := range objects {
		if err := c.Put(obj); err != nil {
			return fmt.Errorf("populate: %w", err)
		}
	}
	return nil
}

// Delete removes the object with obj's kind, namespace and name. It ignores the
// other fields of obj. The error is a NotFound status if there is no such object.
func (c *Cluster) Delete(obj Object) error {
	s, err := c.storageOf(obj)
	if err != nil {
		return err
	}
	return s.remove(keyOf(obj))
}

// Get reads the object with obj's kind, namespace and name into obj. The error
// is a NotFound status if there is no such object.
func (c *Cluster) Get(obj Object) error {
	s, err := c.storageOf(obj)
	if err != nil {
		return err
	}
	stored, err := s.get(keyOf(obj))
	if err == nil {
		err = stored.decodeInto(obj)
	}
	return err
}

// Modify atomically reads the object with obj's kind, namespace and name into
// obj, calls change to edit obj, and stores obj. The error is a NotFound status
// if there is no such object. change must not call methods of the cluster.
func (c *Cluster) Modify(obj Object, change func()) error {
	s, err := c.storageOf(obj)
	if err != nil {
		return err
	}
	_, err = s.update(keyOf(obj), obj, func() (bool, error) {
		change()
		return true, nil
	})
	return err
}

// Names returns the names of all objects of a resource, such as "pods", in list
// order.
func (c *Cluster) Names(resource string) []types.NamespacedName {
	var names []types.NamespacedName
	for gvr, s := range c.storages {
		if gvr.Resource == resource {
			for o := range s.state().all(objectKey{}) {
				names = append(names, types.NamespacedName{Namespace: o.namespace, Name: o.name})
			}
		}
	}
	return names
}

// Len returns the number of objects of all kinds.
func (c *Cluster) Len() int {
	n := 0
	for _, s := range c.storages {
		n += s.state().objects.Len()
	}
	return n
}

// Mix describes the objects of one resource in a cluster.
type Mix struct {
	Objects int
	Bytes   int64 // total size in protobuf
}

// Mix returns the number and size of the objects by resource. Resources without
// objects are left out.
func (c *Cluster) Mix() map[string]Mix {
	mixes := map[string]Mix{}
	for gvr, s := range c.storages {
		var m Mix
		for o := range s.state().all(objectKey{}) {
			m.Objects++
			m.Bytes += int64(len(o.raw))
		}
		if m.Objects > 0 {
			mixes[gvr.Resource] = m
		}
	}
	return mixes
}

// ResourceVersion returns the current resourceVersion. Each event increments it
// by one, so the difference of two values is a number of events.
func (c *Cluster) ResourceVersion() uint64 { return c.revision.Load() }

// KeepEvents limits the event log of each resource to a number of bytes, which
// counts superseded and deleted states. 0 selects the default, 64 MiB.
func (c *Cluster) KeepEvents(bytes int) {
	for _, s := range c.storages {
		s.log.setMaxBytes(cmp.Or(bytes, defaultLogBytes))
	}
}

// Compact drops all logged events. Watches from an older resourceVersion get
// 410 Gone, and so do further pages of lists that have changed since.
func (c *Cluster) Compact() {
	for _, s := range c.storages {
		s.log.compact(c.revision.Load())
	}
}

// CloseWatches closes all open watches, as a restart of an API server does.
func (c *Cluster) CloseWatches() { close(*c.closing.Swap(new(make(chan struct{})))) }

func (c *Cluster) newUID() (types.UID, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	uid, err := uuid.NewRandomFromReader(c.uids)
	return types.UID(uid.String()), err
}

// storageOf returns the storage of obj's kind.
func (c *Cluster) storageOf(obj Object) (*storage, error) {
	gvks, _, err := scheme.Scheme.ObjectKinds(obj)
	if err != nil {
		return nil, fmt.Errorf("kind of %T: %w", obj, err)
	}
	s := c.byKind[gvks[0]]
	if s == nil {
		return nil, fmt.Errorf("%T: kind is not served", obj)
	}
	return s, nil
}
