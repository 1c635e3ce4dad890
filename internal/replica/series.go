package replica

import (
	"bytes"
	"context"
	"hash/maphash"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/resources"
	"github.com/statefleet/statefleet/store"
)

// restoreEvery is how often, at most, a kind is listed again because a series that was
// left out of the page has become free. A list of a large kind is expensive, and anybody
// who may create objects can free a series.
const restoreEvery = time.Minute

// series know which object of a kind gives each series, in the families of which two
// objects may give the same. A page on which a series stands twice is invalid, and
// Prometheus may refuse it as a whole, so the later object's sample is left out.
//
// An object that has gone still owns its series here until another object asks for one
// of them, or until tidy: objects leave the store in many ways.
type series struct {
	families []int // indexes, rising
	seed     maphash.Seed
	logged   sync.Once

	mu       sync.Mutex
	owners   map[uint64]store.ID   // by hash of the series
	given    map[store.ID][]uint64 // what an object owns
	leftOut  map[store.ID][]uint64 // what others own
	total    int                   // of leftOut
	restored time.Time             // when the kind was last listed again for this
	scratch  []byte
}

// sharing is a Renderer of which several objects may give the same series.
type sharing interface {
	// SharedFamilies returns the families, by index, of which two objects may give the
	// same series.
	SharedFamilies(namespaced bool) []int
}

// newSeries returns nil for a kind whose series all identify their object.
func newSeries(k Kind) *series {
	r, ok := k.Renderer.(sharing)
	if !ok {
		return nil
	}
	families := r.SharedFamilies(k.Namespaced)
	if len(families) == 0 {
		return nil
	}
	return &series{
		families: families,
		seed:     maphash.MakeSeed(), // tenants choose what is hashed
		owners:   map[uint64]store.ID{},
		given:    map[store.ID][]uint64{},
		leftOut:  map[store.ID][]uint64{},
	}
}

// putLines puts an object's lines into the store, without the series that another object
// gives, and reports whether that changes the object's text.
func (k *kind) putLines(named watch.Object, o store.Object, l *resources.Lines) (changes bool) {
	if s := k.series; s != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		if k.store.HasVersion(o.ID, o.Version) {
			return false // a newer version came meanwhile, and owns its series
		}
		if family := s.claim(o.ID, l, k.store.Contains); family >= 0 {
			s.logged.Do(func() {
				k.logger.Warn("two objects give the same series; the sample of the later one is left out, and further ones are only counted; "+
					"add a label that identifies the object",
					"family", k.Renderer.Families()[family].Name, "namespace", string(named.Namespace), "name", string(named.Name))
			})
		}
	}
	return k.store.Put(o, &store.Lines{Buf: l.Buf, Ends: l.Ends})
}

// claim makes the object the owner of its series and cuts those out of l that another
// object which is held owns. It returns the first family that lost one, else -1.
func (s *series) claim(id store.ID, l *resources.Lines, held func(store.ID) bool) (family int) {
	family = -1
	given := make([]uint64, 0, len(s.given[id]))
	var leftOut []uint64
	from, kept := 0, 0 // up to where Buf was read and is kept
	next := s.families
	for f, end := range l.Ends {
		if len(next) == 0 || next[0] != f {
			kept += copy(l.Buf[kept:], l.Buf[from:end])
			from, l.Ends[f] = end, kept
			continue
		}
		next = next[1:]
		for line := range bytes.Lines(l.Buf[from:end]) {
			h := s.hash(line)
			if owner, owned := s.owners[h]; owned && owner != id && held(owner) {
				leftOut = append(leftOut, h)
				if family < 0 {
					family = f
				}
				continue
			}
			s.owners[h] = id
			given = append(given, h)
			kept += copy(l.Buf[kept:], line)
		}
		from, l.Ends[f] = end, kept
	}
	l.Buf = l.Buf[:kept]
	s.replace(id, given, leftOut)
	return family
}

// replace notes what an object gives and what is left out of it now.
func (s *series) replace(id store.ID, given, leftOut []uint64) {
	before := s.given[id]
	slices.Sort(given)
	for _, h := range before {
		if _, still := slices.BinarySearch(given, h); !still && s.owners[h] == id {
			delete(s.owners, h)
		}
	}
	s.total += len(leftOut) - len(s.leftOut[id])
	setOrDelete(s.given, id, given)
	setOrDelete(s.leftOut, id, leftOut)
}

func setOrDelete(m map[store.ID][]uint64, id store.ID, hashes []uint64) {
	if len(hashes) == 0 {
		delete(m, id)
		return
	}
	m[id] = hashes
}

// hash is that of the series of a sample line: of what stands before the value.
func (s *series) hash(line []byte) uint64 {
	name := line[:bytes.LastIndexByte(line, ' ')+1]
	if bytes.Contains(name, emptyLabel) {
		s.scratch = appendWithoutEmptyLabels(s.scratch[:0], name)
		name = s.scratch
	}
	return maphash.Bytes(s.seed, name)
}

// emptyLabel stands in a line for nothing else: quotes within values are escaped.
var emptyLabel = []byte(`=""`)

// appendWithoutEmptyLabels appends the series without its empty labels, since to
// Prometheus a label that is empty is one that is not there.
func appendWithoutEmptyLabels(dst, name []byte) []byte {
	for {
		at := bytes.Index(name, emptyLabel)
		if at < 0 {
			dst = append(dst, name...)
			return bytes.Replace(dst, []byte(",}"), []byte("}"), 1)
		}
		begins := bytes.LastIndexAny(name[:at], "{,") + 1
		dst = append(dst, name[:begins]...)
		name = bytes.TrimPrefix(name[at+len(emptyLabel):], []byte(","))
	}
}

// tidy forgets objects that are gone, and returns those of which something is left out
// that no other object gives any more.
func (s *series) tidy(held func(store.ID) bool) (free []store.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, of := range []map[store.ID][]uint64{s.given, s.leftOut} {
		for id := range maps.Keys(of) {
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

// due reports whether the kind may be listed again now, and takes note of it.
func (s *series) due(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.restored.IsZero() && now.Sub(s.restored) < restoreEvery {
		return false
	}
	s.restored = now
	return true
}

// count is how many samples are left out.
func (s *series) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total
}

// restoreSeries has the kinds listed again of which a sample was left out and need not be
// any more. Only the objects concerned are rendered again.
func (r *Replica) restoreSeries(ctx context.Context, now time.Time) {
	for _, k := range r.current() {
		if k.series == nil {
			continue
		}
		free := k.series.tidy(k.store.Contains)
		if len(free) == 0 || !k.series.due(now) {
			continue
		}
		k.logger.Info("series that were left out are free; relisting the resource", "objects", len(free))
		k.store.ResetVersions(free)
		r.requestRelist(ctx, repair{kind: k})
	}
}
