package replica

import (
	"maps"
	"sync"

	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/resources"
	"github.com/statefleet/statefleet/store"
)

// defaultObjectBytes is the default of Options.ObjectBytes. Few objects of ordinary clusters have
// more than 100 kB of text.
const defaultObjectBytes = 4 << 20

// truncated are the objects of a kind that lack metric families because of the limit on an object's
// text. The zero value is ready. It is safe for concurrent use.
type truncated struct {
	mu      sync.Mutex
	objects map[store.ID]struct{}
}

// set sets whether an object is truncated.
func (t *truncated) set(id store.ID, is bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case !is:
		delete(t.objects, id)
	case t.objects == nil:
		t.objects = map[store.ID]struct{}{id: {}}
	default:
		t.objects[id] = struct{}{}
	}
}

// count forgets objects that are not held any more, and returns how many are left.
func (t *truncated) count(held func(store.ID) bool) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	maps.DeleteFunc(t.objects, func(id store.ID, _ struct{}) bool { return !held(id) })
	return len(t.objects)
}

// recordOmitted counts the families that are left out of an object, and logs the first time.
func (k *kind) recordOmitted(o watch.Object, id store.ID, l *resources.Lines) {
	k.truncated.set(id, len(l.Omitted) > 0)
	if len(l.Omitted) == 0 {
		return
	}
	k.counters.familiesOmitted.Add(float64(len(l.Omitted)))
	if k.firstTime("truncated") {
		k.logger.Warn("metric families are left out because the text of the object would exceed --object-bytes-limit; further objects are only counted",
			"namespace", string(o.Namespace), "name", string(o.Name), "families", len(l.Omitted),
			"family", k.Renderer.Families()[l.Omitted[0]].Name, "limit", l.Limit)
	}
}
