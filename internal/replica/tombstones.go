package replica

import (
	"sync"

	"github.com/statefleet/statefleet/store"
)

// tombstonesPerGeneration is the least number of deletions of a kind that are remembered; the most is
// twice as many. More are remembered only while added ranges are listed, because all pages of a list
// show the same moment. It fills a map of 1,024 slots, which takes 27 KiB.
//
// Tombstones are needed for as long as an API server may lag. A Reflector names the version that it
// has received, and a server whose cache does not reach it within three seconds returns an error,
// unless stale lists are allowed. Deletions before the last complete list are known without
// tombstones; see handler.absentFromList.
const tombstonesPerGeneration = 896

// maxTombstones replaces tombstonesPerGeneration while added ranges are listed. It fills a map of
// 65,536 slots, which takes 1.6 MiB for each kind. If more objects are deleted, the kind is listed
// completely, which needs no tombstones.
const maxTombstones = 64 * tombstonesPerGeneration

// tombstones are the versions at which objects of a kind were deleted recently. Without them, an API
// server that lags or repeats events would bring deleted objects back, until it sends the deletion
// as well.
//
// Two maps that alternate reach their full size soon and keep it. A single map in which each new
// entry replaces the oldest one takes several times the memory of its entries.
type tombstones struct {
	mu                sync.Mutex
	current, previous map[store.ID]uint64
	newest            uint64 // highest version of a deletion
	keeping           int    // lists of added ranges in progress
	overflows         int    // times that maxTombstones was reached
}

// add remembers a deletion. A deletion without a version is ignored, because it cannot be compared.
func (t *tombstones) add(v store.Version) {
	if v.Version == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	version := max(v.Version, t.current[v.ID], t.previous[v.ID])
	limit := tombstonesPerGeneration
	if t.keeping > 0 {
		limit = maxTombstones
	}
	if len(t.current) >= limit {
		if t.keeping > 0 {
			t.overflows++
		}
		t.current, t.previous = t.previous, t.current
		if len(t.current) > tombstonesPerGeneration {
			t.current = nil // a cleared map would keep its memory
		}
		clear(t.current)
	}
	if t.current == nil {
		t.current = map[store.ID]uint64{}
	}
	t.current[v.ID] = version
	t.newest = max(t.newest, version)
}

// keepAll makes tombstones keep all deletions, up to maxTombstones, until keptAll is called, which
// reports whether there were no more.
func (t *tombstones) keepAll() (keptAll func() bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.keeping++
	before := t.overflows
	return func() bool {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.keeping--
		return t.overflows == before
	}
}

// covers reports whether a version of an object is not newer than the object's deletion.
func (t *tombstones) covers(id store.ID, version uint64) bool {
	if version == 0 {
		return false
	}
	return t.deletedAt(id) >= version
}

// deletedAt returns the version at which an object was deleted, or 0 if that is not known.
func (t *tombstones) deletedAt(id store.ID) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return max(t.current[id], t.previous[id])
}

// newestVersion returns the highest version of a deletion.
func (t *tombstones) newestVersion() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.newest
}

// clear forgets all deletions.
func (t *tombstones) clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.current, t.previous, t.newest = nil, nil, 0
}
