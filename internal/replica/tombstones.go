package replica

import (
	"sync"

	"github.com/statefleet/statefleet/store"
)

// tombstonesPerGeneration is how many deletions of a kind are remembered at least; at most they
// are twice as many, but for those that come while added ranges are listed: its pages
// are all of one moment. It is what a map of 1,024 places takes, 27 KiB.
//
// They are needed for as long as an API server may be behind: a Reflector names the
// version that it has received, and a server whose cache does not reach that within
// three seconds says so, unless the list is one that may be from a cache. What was
// deleted before the last complete list is known without them; see handler.absentFromList.
const tombstonesPerGeneration = 896

// maxTombstones bounds the deletions that are remembered while added ranges are listed. It is
// what a map of 65,536 places takes, 1.6 MiB for each kind. With more, the kind is listed
// again, which needs none of them.
const maxTombstones = 64 * tombstonesPerGeneration

// tombstones are the objects of a kind that were deleted lately, and at which version:
// an API server that is behind, or that sends events again, must not bring them
// back. An object whose deletion is long forgotten would come back until the event
// of its deletion comes, too.
//
// Two maps that take turns have their full size soon and keep it. One map whose
// oldest entry goes for each new one takes several times what it holds.
type tombstones struct {
	mu                sync.Mutex
	current, previous map[store.ID]uint64
	newest            uint64 // highest version of a deletion
}

// add remembers a deletion, and with keepAll forgets none for it. It reports false when
// that takes more than maxKept; then nothing has changed. A deletion without a version is
// not comparable to anything.
func (g *tombstones) add(v store.Version, keepAll bool) (room bool) {
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
			g.current = nil // cleared, it would keep its size
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

// covers reports whether a version of an object is from before its deletion.
func (g *tombstones) covers(id store.ID, version uint64) bool {
	if version == 0 {
		return false
	}
	return g.deletedAt(id) >= version
}

// deletedAt returns the version at which an object was deleted, or 0 if that is not remembered.
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
