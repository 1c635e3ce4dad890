package replica

import (
	"bytes"
	"slices"
	"sync"

	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/resources"
	"github.com/statefleet/statefleet/store"
)

// sharedSeries map each series to the object that owns it, in those families of a kind in which two
// objects may have the same series. An exposition with a duplicate series is invalid, and
// Prometheus may reject all of it, so the sample of the later object is left out.
//
// A removed object owns each of its series until another object claims it, or until prune, because
// objects leave the store in many ways.
type sharedSeries struct {
	families []int // indexes, ascending
	key      store.HashKey

	mu      sync.Mutex
	owners  map[uint64]store.ID   // by hash of the series
	owned   map[store.ID][]uint64 // the series that an object owns
	leftOut map[store.ID][]uint64 // the series that other objects own
	total   int                   // series in leftOut
	scratch []byte
}

// sharingRenderer is a Renderer that may give several objects the same series.
type sharingRenderer interface {
	// SharedFamilies returns the indexes of the families in which two objects may have the same
	// series.
	SharedFamilies(namespaced bool) []int
}

// newSharedSeries returns nil for a kind in which every series identifies its object.
func newSharedSeries(k Kind) *sharedSeries {
	r, ok := k.Renderer.(sharingRenderer)
	if !ok {
		return nil
	}
	families := r.SharedFamilies(k.Namespaced)
	if len(families) == 0 {
		return nil
	}
	return &sharedSeries{
		families: families,
		key:      store.NewHashKey(), // random, because users choose the hashed text
		owners:   map[uint64]store.ID{},
		owned:    map[store.ID][]uint64{},
		leftOut:  map[store.ID][]uint64{},
	}
}

// putLines puts an object's lines into the store, without the series that another object owns and
// those beyond a limit. It reports whether the object's text has changed.
func (k *kind) putLines(named watch.Object, o store.Object, l *resources.Lines) (changes bool) {
	if s := k.sharedSeries; s != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		if k.store.HasVersion(o.ID, o.Version) {
			return false // a newer version was stored meanwhile, and owns its series
		}
		if family := s.claim(o.ID, l, k.store.Contains); family >= 0 && k.firstTime("shared series") {
			k.logger.Warn("two objects have the same series, so the sample of the later one is left out; further ones are only counted; "+
				"add a label that identifies the object",
				"family", k.Renderer.Families()[family].Name, "namespace", string(named.Namespace), "name", string(named.Name))
		}
	}
	if s := k.seriesLimits; s != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		if k.store.HasVersion(o.ID, o.Version) {
			return false
		}
		k.limitSeries(named, o.ID, l)
	}
	return k.store.Put(o, &store.Lines{Buf: l.Buf, Ends: l.Ends})
}

// claim makes the object the owner of its series, and removes from l those that another held object
// owns. It returns the first family that has lost a series, or -1.
func (s *sharedSeries) claim(id store.ID, l *resources.Lines, held func(store.ID) bool) (family int) {
	family = -1
	owned := make([]uint64, 0, len(s.owned[id]))
	var leftOut []uint64
	from, kept := 0, 0 // Buf was read up to from; the text before kept stays
	shared := s.families
	for f, end := range l.Ends {
		if len(shared) == 0 || shared[0] != f {
			kept += copy(l.Buf[kept:], l.Buf[from:end])
			from, l.Ends[f] = end, kept
			continue
		}
		shared = shared[1:]
		for line := range bytes.Lines(l.Buf[from:end]) {
			h := s.hash(line)
			if owner, known := s.owners[h]; known && owner != id && held(owner) {
				leftOut = append(leftOut, h)
				if family < 0 {
					family = f
				}
				continue
			}
			s.owners[h] = id
			owned = append(owned, h)
			kept += copy(l.Buf[kept:], line)
		}
		from, l.Ends[f] = end, kept
	}
	l.Buf = l.Buf[:kept]
	s.replace(id, owned, leftOut)
	return family
}

// replace sets the series that an object owns, and those that are left out of it.
func (s *sharedSeries) replace(id store.ID, owned, leftOut []uint64) {
	before := s.owned[id]
	slices.Sort(owned)
	for _, h := range before {
		if _, still := slices.BinarySearch(owned, h); !still && s.owners[h] == id {
			delete(s.owners, h)
		}
	}
	s.total += len(leftOut) - len(s.leftOut[id])
	setOrDelete(s.owned, id, owned)
	setOrDelete(s.leftOut, id, leftOut)
}

func setOrDelete(m map[store.ID][]uint64, id store.ID, hashes []uint64) {
	if len(hashes) == 0 {
		delete(m, id)
		return
	}
	m[id] = hashes
}

// hash returns the hash of a sample line's series.
func (s *sharedSeries) hash(line []byte) uint64 {
	s.scratch = resources.AppendSeries(s.scratch[:0], line)
	return s.key.Sum(s.scratch)
}

// prune forgets objects that are not held any more, and returns those with left-out series that no
// other object owns now.
func (s *sharedSeries) prune(held func(store.ID) bool) (free []store.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, objects := range []map[store.ID][]uint64{s.owned, s.leftOut} {
		for id := range objects {
			if !held(id) {
				s.replace(id, nil, nil)
			}
		}
	}
	for id, hashes := range s.leftOut {
		if slices.ContainsFunc(hashes, func(h uint64) bool { _, owned := s.owners[h]; return !owned }) {
			free = append(free, id)
		}
	}
	return free
}

// count returns how many samples are left out.
func (s *sharedSeries) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total
}
