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
	// Server.WriteKubeconfig includes. It brings HTTP/2.
	TLS bool
	// BookmarkInterval is the time between two bookmarks of a watch that
	// allows them. Default: one minute.
	BookmarkInterval time.Duration
	// LogEvents bounds the event log of each resource, as KeepEvents does in
	// bytes: a watch that starts behind it is told 410 Gone, one that falls
	// behind it is ended. Default: 16384.
	LogEvents int
	// Seed is for UIDs of objects that are put without one.
	Seed uint64
}

// Cluster is a store of API objects that HTTP handlers serve. All methods may
// be called concurrently.
type Cluster struct {
	options   Options
	kinds     []Kind
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
	c := &Cluster{
		options:   options,
		kinds:     Kinds(),
		storages:  map[schema.GroupVersionResource]*storage{},
		byKind:    map[schema.GroupVersionKind]*storage{},
		encodings: newEncodings(),
		uids:      rand.NewChaCha8(sha256.Sum256(binary.BigEndian.AppendUint64(nil, options.Seed))),
	}
	c.discovery = discovery(c.kinds)
	c.closing.Store(new(make(chan struct{})))
	c.revision.Store(1) // 0 means "any" to clients
	for i := range c.kinds {
		kind := &c.kinds[i]
		s := newStorage(kind, &c.revision, options.LogEvents)
		c.storages[kind.GroupVersion().WithResource(kind.Resource)] = s
		c.byKind[kind.GroupVersionKind] = s
	}
	return c
}

// Put creates the object or replaces the one of that name. It sets obj's
// resourceVersion, and its uid if that is empty (to that of the replaced
// object, if any); it keeps no reference to obj. An object that is replaced
// under another uid is deleted first, as it would be in a real cluster.
func (c *Cluster) Put(obj Object) error {
	s, err := c.storageOf(obj)
	if err != nil {
		return err
	}
	if obj.GetName() == "" || (obj.GetNamespace() != "") != s.kind.Namespaced {
		return fmt.Errorf("put %s %q/%q: a name is needed, and a namespace for namespaced kinds only",
			s.kind.Resource, obj.GetNamespace(), obj.GetName())
	}
	return s.put(obj, c.newUID)
}

// Populate puts all objects, such as those of a generator.
func (c *Cluster) Populate(objects iter.Seq[Object]) error {
	for obj := range objects {
		if err := c.Put(obj); err != nil {
			return fmt.Errorf("populate: %w", err)
		}
	}
	return nil
}

// Delete removes the object of obj's kind, namespace and name; nothing else
// of obj is looked at. The error is a NotFound status if there is none.
func (c *Cluster) Delete(obj Object) error {
	s, err := c.storageOf(obj)
	if err != nil {
		return err
	}
	return s.remove(keyOf(obj))
}

// Get reads the object of obj's kind, namespace and name into obj. The error
// is a NotFound status if there is none.
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

// Modify reads the object of obj's kind, namespace and name into obj, lets
// change edit it, and stores it, as one step. The error is a NotFound status
// if there is none. change must not call the cluster.
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

// Names lists the objects of a resource, such as "pods", in list order.
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

// Len is the number of objects of all kinds.
func (c *Cluster) Len() int {
	n := 0
	for _, s := range c.storages {
		n += s.state().objects.Len()
	}
	return n
}

// Mix is what a cluster holds of one resource.
type Mix struct {
	Objects int
	Bytes   int64 // of the objects in protobuf
}

// Mix returns the numbers of objects, by resource.
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

// ResourceVersion is the present one. Each change of an object raises it by
// one, so differences count events.
func (c *Cluster) ResourceVersion() uint64 { return c.revision.Load() }

// KeepEvents bounds the event log of each resource in bytes of superseded
// states. 0 is the default: 64 MiB.
func (c *Cluster) KeepEvents(bytes int) {
	for _, s := range c.storages {
		s.log.setMaxBytes(cmp.Or(bytes, defaultLogBytes))
	}
}

// Compact forgets all past events: watches from an older resourceVersion and
// unfinished paged lists get 410 Gone.
func (c *Cluster) Compact() {
	for _, s := range c.storages {
		s.log.compact(c.revision.Load())
	}
}

// CloseWatches ends all watches that are open now, as a restart of an API
// server does.
func (c *Cluster) CloseWatches() { close(*c.closing.Swap(new(make(chan struct{})))) }

func (c *Cluster) newUID() (types.UID, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	uid, err := uuid.NewRandomFromReader(c.uids)
	return types.UID(uid.String()), err
}

// storageOf finds where objects of obj's type are stored.
func (c *Cluster) storageOf(obj Object) (*storage, error) {
	gvks, _, err := scheme.Scheme.ObjectKinds(obj)
	if err != nil {
		return nil, fmt.Errorf("kind of %T: %w", obj, err)
	}
	s := c.byKind[gvks[0]]
	if s == nil {
		return nil, fmt.Errorf("%T is not a kind that is served", obj)
	}
	return s, nil
}
