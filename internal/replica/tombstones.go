package replica

import (
	"sync"

	"github.com/statefleet/statefleet/store"
)

// tombstonesPerGeneration is the least number of deletions of a kind that are remembered. The most is
// twice as many, and more only while added ranges are listed, because all pages of a list show the
// same moment. It fills a map of 1,024 slots, which takes 27 KiB.
//
// Tombstones are needed for as long as an API server may lag. A Reflector names the version that it
// has received, and a server whose cache does not reach it within three seconds returns an error,
// unless stale lists are allowed. Deletions before the last complete list are known without
// tombstones; see handler.absentFromList.
const tombstonesPerGeneration = 896

// maxTombstones limits the deletions that are remembered while added ranges are listed. It fills a
// map of 65,536 slots, which takes 1.6 MiB for each kind. If there are more, the kind is listed
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
}

// add remembers a deletion. With keepAll it forgets no other deletion; if that would exceed
// maxTombstones, it changes nothing and returns false. A deletion without a version is ignored,
// because it cannot be compared.
func (g *tombstones) add(v store.Version, keepAll bool) (ok bool) {
	id, version := v.ID, v.Version
	if version == 0 {
		return true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if keepAll && len(g.current) >= maxTombstones {
		return false
	}
	version = max(version, g.current[id], g.previous[id])
	if len(g.current) >= tombstonesPerGeneration && !keepAll {
		g.current, g.previous = g.previous, g.current
		if len(g.current) > tombstonesPerGeneration {
			g.current = nil // a cleared map would keep its memory
		}
		clear(g.current)
	}
	if g.current == nil {
		g.current = map[store.ID]uint64{}
	}
	g.current[id] = version
	g.newest = max(g.newest, version)
	return true
}

// covers reports whether a version of an object is not newer than the object's deletion.
func (g *tombstones) covers(id store.ID, version uint64) bool {
	if version == 0 {
		return false
	}
	return g.deletedAt(id) >= version
}

// deletedAt returns the version at which an object was deleted, or 0 if that is not known.
func (g *tombstones) deletedAt(id store.ID) uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return max(g.current[id], g.previous[id])
}

// newestVersion returns the highest version of a deletion.
func (g *tombstones) newestVersion() uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.newest
}

// clear forgets all deletions.
func (g *tombstones) clear() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.current, g.previous, g.newest = nil, nil, 0
}
