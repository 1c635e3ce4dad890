package simulator

import (
	"slices"
	"sync"
	"sync/atomic"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
)

// collection is one resource: its objects, its event log and the snapshots
// that paged lists are reading. Safe for concurrent use.
type collection struct {
	kind     Kind
	revision *atomic.Uint64 // the cluster's resourceVersion

	mu      sync.Mutex
	objects index
	log     eventLog
	changed chan struct{} // closed at the next event
	paging  []pagedList
}

// pagedList is a snapshot that continue tokens refer to.
type pagedList struct {
	resourceVersion uint64
	items           snapshot
}

// maxPagedLists bounds the snapshots that unfinished paged lists hold.
const maxPagedLists = 16

func newCollection(kind Kind, revision *atomic.Uint64, log eventLog) *collection {
	return &collection{kind: kind, revision: revision, objects: newIndex(), log: log, changed: make(chan struct{})}
}

// put stores obj under the next resourceVersion and sets its resourceVersion
// and, if it is empty, its uid. An object of another uid in its place is
// deleted first: one name never changes its uid within an event.
func (c *collection) put(obj Object, newUID func() types.UID) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	held := c.objects.byKey[objectKey{namespace: obj.GetNamespace(), name: obj.GetName()}]
	if obj.GetUID() == "" {
		uid, err := c.heldUID(held)
		if err != nil {
			return err
		}
		if uid == "" {
			uid = newUID()
		}
		obj.SetUID(uid)
	}
	if held != nil && held.uidHash != hash64(string(obj.GetUID())) {
		if err := c.removeLocked(held); err != nil {
			return err
		}
	}
	return c.store(obj)
}

// heldUID is the uid of a stored object, empty if there is none.
func (c *collection) heldUID(held *object) (types.UID, error) {
	if held == nil {
		return "", nil
	}
	obj, err := held.decode(c.kind)
	if err != nil {
		return "", err
	}
	return obj.GetUID(), nil
}

func (c *collection) store(obj Object) error {
	o, err := c.encodeNext(obj)
	if err != nil {
		return err
	}
	previous := c.objects.put(o)
	kind := watch.Modified
	if previous == nil {
		kind = watch.Added
	}
	c.publish(&event{kind: kind, object: o, previous: previous})
	return nil
}

// modify decodes the object at key into obj, lets change edit it, and stores
// it as one step.
func (c *collection) modify(key objectKey, obj Object, change func()) error {
	_, err := c.update(key, obj, func() (bool, error) {
		change()
		return true, nil
	})
	return err
}

// update is modify for a change that may be none, or fail. It returns what is
// stored then.
func (c *collection) update(key objectKey, obj Object, change func() (changed bool, err error)) (*object, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	held := c.objects.byKey[key]
	if held == nil {
		return nil, apierrors.NewNotFound(c.kind.groupResource(), key.name)
	}
	if err := held.decodeInto(obj); err != nil {
		return nil, err
	}
	changed, err := change()
	if err == nil && changed {
		err = c.store(obj)
	}
	return c.objects.byKey[key], err
}

// remove deletes the object at key. The event carries its last state under
// the resourceVersion of the deletion, as a kube-apiserver's does.
func (c *collection) remove(key objectKey) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	held := c.objects.byKey[key]
	if held == nil {
		return apierrors.NewNotFound(c.kind.groupResource(), key.name)
	}
	return c.removeLocked(held)
}

func (c *collection) removeLocked(held *object) error {
	obj, err := held.decode(c.kind)
	if err != nil {
		return err
	}
	last, err := c.encodeNext(obj)
	if err != nil {
		return err
	}
	c.objects.remove(held.objectKey)
	c.publish(&event{kind: watch.Deleted, object: last, previous: held})
	return nil
}

// encodeNext takes the next resourceVersion. Only under mu, so that the
// versions of one resource rise in the order of its log.
func (c *collection) encodeNext(obj Object) (*object, error) {
	next := c.revision.Add(1)
	obj.SetResourceVersion(formatVersion(next))
	return encodeObject(obj, next)
}

// publish appends to the log and drops the snapshots it no longer reaches
// back to: newer ones hold no state that the log does not hold as well.
func (c *collection) publish(e *event) {
	c.log.append(e)
	c.paging = slices.DeleteFunc(c.paging, func(l pagedList) bool { return l.resourceVersion < c.log.compacted })
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *collection) get(key objectKey) *object {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.objects.byKey[key]
}

func (c *collection) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.objects.byKey)
}

// state is a snapshot, the resourceVersion it is true for, and the log
// position from which events follow it.
func (c *collection) state() (items snapshot, resourceVersion, pos uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.objects.snapshot(), c.revision.Load(), c.log.end()
}

// end is the present resourceVersion and the log position behind its events.
func (c *collection) end() (resourceVersion, pos uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.revision.Load(), c.log.end()
}

func (c *collection) position(resourceVersion uint64) (pos, compacted uint64, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	pos, ok = c.log.position(resourceVersion)
	return pos, c.log.compacted, ok
}

// after copies events from pos on, with a channel that closes at the next one.
func (c *collection) after(pos uint64, limit int) (events []*event, changed <-chan struct{}, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	events, ok = c.log.after(pos, limit)
	return events, c.changed, ok
}

// compact forgets all events and all snapshots of paged lists.
func (c *collection) keepEvents(bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.log.maxBytes = bytes
	c.log.trim()
}

func (c *collection) compact() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.log.events) > 0 {
		c.log.drop()
	}
	c.log.compacted = c.revision.Load()
	c.paging = nil
}

// keep remembers a snapshot for the next page of a list; the oldest go first.
func (c *collection) keep(list pagedList) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, kept := range c.paging {
		if kept.resourceVersion == list.resourceVersion {
			return
		}
	}
	if len(c.paging) == maxPagedLists {
		c.paging = slices.Delete(c.paging, 0, 1)
	}
	c.paging = append(c.paging, list)
}

// at finds the state at a past resourceVersion: the present one if nothing
// changed since, or one kept for a paged list.
func (c *collection) at(resourceVersion uint64) (snapshot, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if resourceVersion >= c.log.latest() {
		return c.objects.snapshot(), true
	}
	for _, kept := range c.paging {
		if kept.resourceVersion == resourceVersion {
			return kept.items, true
		}
	}
	return nil, false
}
