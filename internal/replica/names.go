package replica

import (
	"encoding/binary"
	"hash/maphash"
	"sync"
	"time"

	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/store"
)

// names say which object of a kind has a name now. When one is deleted and another
// created under its name, the new one may be received first: from a list, which tells
// of deletions only at its end, or while the deleted one is still held. Both would
// have the same series in all families without a uid label, so the new one takes the
// place of the old.
//
// Names are kept as hashes, which take 8 bytes where a name takes 50. The hash has a
// random key: users choose the names, and a user who could compute the hash of a name
// could choose one that takes another user's object off the page.
type names struct {
	seed   maphash.Seed
	mu     sync.Mutex
	byHash map[uint64]store.ID
}

func newNames() names { return names{seed: maphash.MakeSeed()} }

// hash is the key of an object's name. The length of the namespace keeps apart names
// that differ only in where the namespace ends.
func (n *names) hash(o watch.Object) uint64 {
	var stack [512]byte
	text := binary.AppendUvarint(stack[:0], uint64(len(o.Namespace)))
	return maphash.Bytes(n.seed, append(append(text, o.Namespace...), o.Name...))
}

// id is what tells an object from all others of the kind.
func (k *kind) id(o watch.Object) store.ID {
	if k.Custom {
		return store.HashedIDBytes(o.UID, o.Namespace, o.Name)
	}
	return store.NewIDBytes(o.UID, o.Namespace, o.Name)
}

// refID is id for an object of a complete list.
func (k *kind) refID(h watch.ObjectRef) store.ID {
	if k.Custom {
		return store.HashedID(h.UID, h.Namespace, h.Name)
	}
	return store.NewID(h.UID, h.Namespace, h.Name)
}

// owner returns the object that has the name of o.
func (n *names) owner(o watch.Object) (id store.ID, ok bool) {
	key := n.hash(o)
	n.mu.Lock()
	defer n.mu.Unlock()
	id, ok = n.byHash[key]
	return id, ok
}

// takeName gives an object its name, and removes the object that had it.
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

// releaseName takes the name back.
func (k *kind) releaseName(o watch.Object, id store.ID) {
	key := k.names.hash(o)
	k.names.mu.Lock()
	defer k.names.mu.Unlock()
	if k.names.byHash[key] == id {
		delete(k.names.byHash, key)
	}
}

// staleNameSlack is how many names of objects that are gone may be kept.
const staleNameSlack = 1024

// pruneNames drops the names of objects that went without an event: with a list, or with a
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

// expire leaves a deleted object on the page for the time of --metric.hold-deleted.
func (k *kind) expire(id store.ID) { k.store.ExpireAt(id, time.Now().Add(k.holdDeleted)) }
