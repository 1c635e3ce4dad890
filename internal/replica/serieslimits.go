package replica

import (
	"maps"
	"slices"
	"sync"

	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/resources"
	"github.com/statefleet/statefleet/store"
)

// seriesLimits bound the samples of those families of a kind whose configuration has a seriesLimit.
// The samples that come last are left out. A limit applies to one replica, which need not ask others.
//
// An object that has left the store counts until prune, because objects leave it in many ways.
type seriesLimits struct {
	families []limitedFamily

	mu      sync.Mutex
	objects map[store.ID][]samples // of each limited family
}

// limitedFamily is a family with a limit.
type limitedFamily struct {
	index int // among the families of the Renderer
	name  string
	limit int
	total samples // of all objects; guarded by mu
}

// samples counts the samples of a family that are stored, and those that are left out.
type samples struct{ kept, leftOut int }

func (s *samples) add(other samples, sign int) {
	s.kept += sign * other.kept
	s.leftOut += sign * other.leftOut
}

// limitingRenderer is a Renderer whose families may have a limit.
type limitingRenderer interface {
	// SeriesLimits returns the limit of each family; 0 is none.
	SeriesLimits() []int
}

// newSeriesLimits returns nil for a kind without a limit.
func newSeriesLimits(r Renderer) *seriesLimits {
	limiting, ok := r.(limitingRenderer)
	if !ok {
		return nil
	}
	s := &seriesLimits{objects: map[store.ID][]samples{}}
	for i, limit := range limiting.SeriesLimits() {
		if limit > 0 {
			s.families = append(s.families, limitedFamily{index: i, name: r.Families()[i].Name, limit: limit})
		}
	}
	if len(s.families) == 0 {
		return nil
	}
	return s
}

// limitSeries leaves out the samples of an object that are beyond a limit, counts them, and logs the
// first of each family. The mutex of the limits is held.
func (k *kind) limitSeries(named watch.Object, id store.ID, l *resources.Lines) {
	s := k.seriesLimits
	if s.exceeds(id, l) {
		s.prune(k.store)
	}
	for i, now := range s.cut(id, l) {
		f := &s.families[i]
		if now.leftOut == 0 {
			continue
		}
		k.counters.overLimit.WithLabelValues(f.name).Add(float64(now.leftOut))
		if k.firstTime("limit of family " + f.name) {
			k.logger.Warn("samples are left out because the seriesLimit of their metric is reached; "+
				"further ones are only counted", "family", f.name, "limit", f.limit,
				"namespace", string(named.Namespace), "name", string(named.Name))
		}
	}
}

// room returns how many samples of a family an object may have.
func (s *seriesLimits) room(f int, id store.ID) int {
	room := s.families[f].limit - s.families[f].total.kept
	if before := s.objects[id]; before != nil {
		room += before[f].kept
	}
	return max(room, 0)
}

// exceeds reports whether samples of an object would be left out.
func (s *seriesLimits) exceeds(id store.ID, l *resources.Lines) bool {
	for i, f := range s.families {
		if l.Samples(f.index) > s.room(i, id) {
			return true
		}
	}
	return false
}

// cut leaves out the samples of an object that are beyond a limit, and returns those of each limited
// family.
func (s *seriesLimits) cut(id store.ID, l *resources.Lines) []samples {
	now := make([]samples, len(s.families))
	for i, f := range s.families {
		all := l.Samples(f.index)
		now[i].kept = min(all, s.room(i, id))
		if now[i].leftOut = all - now[i].kept; now[i].leftOut > 0 {
			l.Truncate(f.index, now[i].kept)
		}
	}
	s.forget(id)
	s.objects[id] = now
	for i := range s.families {
		s.families[i].total.add(now[i], 1)
	}
	return now
}

func (s *seriesLimits) forget(id store.ID) {
	for i, before := range s.objects[id] {
		s.families[i].total.add(before, -1)
	}
	delete(s.objects, id)
}

// prune forgets objects that have left the store. All stored objects are in s.objects, so there are
// none to forget unless it has more objects than the store.
func (s *seriesLimits) prune(stored *store.Store) {
	if held := stored.Stats(); len(s.objects) <= held.Objects+held.HiddenObjects {
		return
	}
	for id := range s.objects {
		if !stored.Contains(id) {
			s.forget(id)
		}
	}
}

// restorable returns objects whose left-out samples have room now. A tenth of the limit must be free,
// unless everything fits. Otherwise each deletion at the limit would cause a list.
func (s *seriesLimits) restorable(stored *store.Store) []store.ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.prune(stored)
	all := map[store.ID]struct{}{}
	for i, f := range s.families {
		room := f.limit - f.total.kept
		if f.total.leftOut == 0 || room < min(f.total.leftOut, max(f.limit/10, 1)) {
			continue
		}
		for id, of := range s.objects {
			if of[i].leftOut > 0 && room > 0 {
				room -= of[i].leftOut
				all[id] = struct{}{}
			}
		}
	}
	return slices.Collect(maps.Keys(all))
}

// counts returns the families with the samples that are stored now.
func (s *seriesLimits) counts(stored *store.Store) []limitedFamily {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.prune(stored)
	return slices.Clone(s.families)
}
