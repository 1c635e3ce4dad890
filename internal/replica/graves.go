package replica

import (
	"sync"

	"github.com/statefleet/statefleet/store"
)

// maxGraves bounds how many deletions of a kind are remembered.
const maxGraves = 4096

// graves are the objects of a kind that were deleted lately, and at which version:
// an API server that is behind, or that sends events again, must not bring them
// back. An object whose deletion is long forgotten would come back until the event
// of its deletion comes, too.
type graves struct {
	mu    sync.Mutex
	since map[store.ID]uint64
	order []store.ID // a ring
	next  int
}

// bury remembers a deletion. One without a version is not comparable to anything.
func (g *graves) bury(id store.ID, version uint64) {
	if version == 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.since == nil {
		g.since = map[store.ID]uint64{}
	}
	if _, known := g.since[id]; !known {
		if len(g.order) < maxGraves {
			g.order = append(g.order, id)
		} else {
			delete(g.since, g.order[g.next])
			g.order[g.next] = id
			g.next = (g.next + 1) % maxGraves
		}
	}
	g.since[id] = max(g.since[id], version)
}

// buried reports whether a version of an object is from before its deletion.
func (g *graves) buried(id store.ID, version uint64) bool {
	if version == 0 {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.since[id] >= version
}

// clear forgets all deletions.
func (g *graves) clear() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.since, g.order, g.next = nil, nil, 0
}
