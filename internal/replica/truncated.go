package replica

import (
	"maps"
	"sync"

	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/resources"
	"github.com/statefleet/statefleet/store"
)

// defaultObjectBytes bounds the text of an object unless the options say otherwise. It is far
// above what objects of ordinary clusters give, of which few reach 100 kB.
const defaultObjectBytes = 4 << 20

// truncated are the objects of a kind of which metric families are left out because of the
// limit on an object's text. The zero value is ready; safe for concurrent use.
type truncated struct {
	mu      sync.Mutex
	objects map[store.ID]struct{}
}

// note says whether families of an object are left out now.
func (t *truncated) note(id store.ID, is bool) {
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

// count is how many of them are held. Those that are not are forgotten here, since objects
// leave the store in many ways.
func (t *truncated) count(held func(store.ID) bool) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	maps.DeleteFunc(t.objects, func(id store.ID, _ struct{}) bool { return !held(id) })
	return len(t.objects)
}

// familiesOmitted counts the families that are left out of an object, and logs the first time.
func (k *kind) familiesOmitted(o watch.Object, id store.ID, l *resources.Lines) {
	k.truncated.note(id, len(l.Omitted) > 0)
	if len(l.Omitted) == 0 {
		return
	}
	k.counters.familiesOmitted.Add(float64(len(l.Omitted)))
	k.logFirstOversized.Do(func() {
		k.logger.Warn("metric families of an object are left out because its text would exceed --object-bytes-limit; further objects are only counted",
			"namespace", string(o.Namespace), "name", string(o.Name), "families", len(l.Omitted),
			"family", k.Renderer.Families()[l.Omitted[0]].Name, "limit", l.Limit)
	})
}
