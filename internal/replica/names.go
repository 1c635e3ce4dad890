package replica

import (
	"encoding/binary"
	"sync"

	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/store"
)

// names map each name to the object of a kind that has it now. When an object is deleted and
// another one created under its name, the new one may arrive before the old one is removed: in a
// list, which removes objects only at its end, or while --metric.hold-deleted keeps the old one.
// Both would have the same series in all families without a uid label, so the new object replaces
// the old one.
//
// Names are kept as hashes, which take 8 bytes where a name takes 50. The hash has a random key:
// users choose names, and a user who could compute the hash could choose a name that removes
// another user's object.
type names struct {
	key    store.HashKey
	mu     sync.Mutex
	byHash map[uint64]store.ID
}

func newNames() names { return names{key: store.NewHashKey()} }

// hash returns the key of an object's name. It includes the length of the namespace, so that a/bc
// and ab/c differ.
func (n *names) hash(o watch.Object) uint64 {
	var stack [512]byte
	text := binary.AppendUvarint(stack[:0], uint64(len(o.Namespace)))
	return n.key.Sum(append(append(text, o.Namespace...), o.Name...))
}

// id returns the ID of an object in the store of the kind.
func (k *kind) id(o watch.Object) store.ID {
	if k.Custom {
		return store.HashedID(o.UID, o.Namespace, o.Name)
	}
	return store.NewID(o.UID, o.Namespace, o.Name)
}

// refID is id for an object of a complete list.
func (k *kind) refID(ref watch.ObjectRef) store.ID {
	if k.Custom {
		return store.HashedID(ref.UID, ref.Namespace, ref.Name)
	}
	return store.NewID(ref.UID, ref.Namespace, ref.Name)
}

// owner returns the object that has the name of o.
func (n *names) owner(o watch.Object) (id store.ID, ok bool) {
	key := n.hash(o)
	n.mu.Lock()
	defer n.mu.Unlock()
	id, ok = n.byHash[key]
	return id, ok
}

// takeName maps the name to an object, and removes the object that had it before.
func (k *kind) takeName(o watch.Object, id store.ID) {
	key := k.names.hash(o)
	k.names.mu.Lock()
	defer k.names.mu.Unlock()
	if old, known := k.names.byHash[key]; known && old != id {
		k.store.Delete(old)
	}
	if k.names.byHash == nil {
		k.names.byHash = map[uint64]store.ID{}
	}
	k.names.byHash[key] = id
}

// releaseName frees the name of an object.
func (k *kind) releaseName(o watch.Object, id store.ID) {
	key := k.names.hash(o)
	k.names.mu.Lock()
	defer k.names.mu.Unlock()
	if k.names.byHash[key] == id {
		delete(k.names.byHash, key)
	}
}

// staleNameSlack is how many names of removed objects may be kept.
const staleNameSlack = 1024

// pruneNames frees the names of objects that were removed without an event: by a list or by a
// change of shard.
func (k *kind) pruneNames() {
	s := k.store.Stats()
	held := s.Objects + s.HiddenObjects
	k.names.mu.Lock()
	defer k.names.mu.Unlock()
	if len(k.names.byHash) <= held+held/4+staleNameSlack {
		return
	}
	for key, id := range k.names.byHash {
		if !k.store.Contains(id) {
			delete(k.names.byHash, key)
		}
	}
}
