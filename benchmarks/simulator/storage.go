package simulator

import (
	"iter"
	"slices"
	"sync"
	"sync/atomic"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/third_party/forked/golang/btree"
)

// storage holds the objects of one resource, their event log, and the snapshots of
// unfinished paged lists. Safe for concurrent use.
type storage struct {
	kind     *Kind
	revision *atomic.Uint64 // the cluster's resourceVersion
	log      *eventLog

	mu      sync.Mutex
	objects *btree.BTree[*object]
	paged   []snapshot // that continue tokens refer to
}

// snapshot is the objects of a resource at one resourceVersion. It never changes.
type snapshot struct {
	objects         *btree.BTree[*object]
	resourceVersion uint64
}

// maxPagedLists is the maximum number of snapshots of unfinished paged lists.
const maxPagedLists = 16

func newStorage(kind *Kind, revision *atomic.Uint64, logEvents int) *storage {
	const degree = 32
	objects := btree.New(degree, func(a, b *object) bool { return a.compare(b.objectKey) < 0 })
	return &storage{kind: kind, revision: revision, objects: objects, log: newEventLog(logEvents)}
}

// put stores obj under the next resourceVersion. It sets obj's resourceVersion and,
// if it is empty, obj's UID. It first deletes a stored object of the same name and
// another UID, because no single event may change the UID of a name.
func (s *storage) put(obj Object, newUID func() (types.UID, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	stored, exists := s.objects.Get(&object{objectKey: keyOf(obj)})
	if obj.GetUID() == "" {
		if exists {
			newUID = stored.uid
		}
		uid, err := newUID()
		if err != nil {
			return err
		}
		obj.SetUID(uid)
	}
	if exists && stored.uidHash != hash64(string(obj.GetUID())) {
		if err := s.removeLocked(stored); err != nil {
			return err
		}
	}
	_, err := s.store(obj)
	return err
}

func (o *object) uid() (types.UID, error) {
	metadata, err := o.metadata()
	return metadata.UID, err
}

// store encodes and stores obj under the next resourceVersion. The caller must hold
// mu, so that resourceVersions increase in the order of the log.
func (s *storage) store(obj Object) (*object, error) {
	o, err := encodeObject(s.kind, obj, s.revision.Add(1))
	if err != nil {
		return nil, err
	}
	e := event{typ: watch.Added, object: o}
	if previous, existed := s.objects.ReplaceOrInsert(o); existed {
		e.typ, e.previous = watch.Modified, previous
	}
	s.publish(e)
	return o, nil
}

// update atomically decodes the object at key into obj, calls change to edit obj,
// and stores obj if it has changed. It returns the object that is then stored.
func (s *storage) update(key objectKey, obj Object, change func() (changed bool, err error)) (*object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stored, err := s.find(key)
	if err != nil {
		return nil, err
	}
	if err := stored.decodeInto(obj); err != nil {
		return nil, err
	}
	changed, err := change()
	if err != nil || !changed {
		return stored, err
	}
	return s.store(obj)
}

func (s *storage) remove(key objectKey) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	stored, err := s.find(key)
	if err != nil {
		return err
	}
	return s.removeLocked(stored)
}

// removeLocked publishes the object's last state under the resourceVersion of
// the deletion, as a kube-apiserver does.
func (s *storage) removeLocked(stored *object) error {
	last, err := stored.atVersion(s.revision.Add(1))
	if err != nil {
		return err
	}
	s.objects.Delete(stored)
	s.publish(event{typ: watch.Deleted, object: last, previous: stored})
	return nil
}

// atVersion returns the same state with another resourceVersion.
func (o *object) atVersion(resourceVersion uint64) (*object, error) {
	obj, err := o.decode()
	if err != nil {
		return nil, err
	}
	return encodeObject(o.kind, obj, resourceVersion)
}

// publish appends an event to the log, and drops the snapshots that are older than
// the log. Newer snapshots hold no object states that the log does not hold as well.
func (s *storage) publish(e event) {
	compacted := s.log.append(e)
	s.paged = slices.DeleteFunc(s.paged, func(l snapshot) bool { return l.resourceVersion < compacted })
}

func (s *storage) get(key objectKey) (*object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.find(key)
}

func (s *storage) find(key objectKey) (*object, error) {
	stored, exists := s.objects.Get(&object{objectKey: key})
	if !exists {
		gr := schema.GroupResource{Group: s.kind.Group, Resource: s.kind.Resource}
		return nil, apierrors.NewNotFound(gr, key.name)
	}
	return stored, nil
}

// state returns a snapshot of the current state.
func (s *storage) state() snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stateLocked()
}

func (s *storage) stateLocked() snapshot {
	return snapshot{objects: s.objects.Clone(), resourceVersion: s.revision.Load()}
}

// keep retains a snapshot for the next page of a list. It drops the oldest one if
// there are too many.
func (s *storage) keep(list snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.ContainsFunc(s.paged, func(l snapshot) bool { return l.resourceVersion == list.resourceVersion }) {
		return
	}
	if len(s.paged) == maxPagedLists {
		s.paged = slices.Delete(s.paged, 0, 1)
	}
	s.paged = append(s.paged, list)
}

// at returns the snapshot at a past resourceVersion, if there is one: the current
// state if nothing has changed since, or a snapshot retained for a paged list.
func (s *storage) at(resourceVersion uint64) (snapshot, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	compacted, latest := s.log.bounds()
	if resourceVersion >= latest {
		state := s.stateLocked()
		state.resourceVersion = resourceVersion
		return state, true
	}
	i := slices.IndexFunc(s.paged, func(l snapshot) bool { return l.resourceVersion == resourceVersion })
	if i < 0 || resourceVersion < compacted {
		return snapshot{}, false
	}
	return s.paged[i], true
}

// all yields the objects from a key on, in list order.
func (s snapshot) all(from objectKey) iter.Seq[*object] {
	return func(yield func(*object) bool) { s.objects.AscendGreaterOrEqual(&object{objectKey: from}, yield) }
}
