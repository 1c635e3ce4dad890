package replica

import (
	"errors"

	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/resources"
)

// firstTime reports whether it is called for the first time with this problem. Each problem is logged for
// one object, and counted for the others.
func (k *kind) firstTime(problem string) bool {
	_, known := k.logged.LoadOrStore(problem, nil)
	return !known
}

// maxLoggedNamespaces bounds firstTimeIn.
const maxLoggedNamespaces = 20

// firstTimeIn is firstTime for a problem of a namespace. Not all namespaces are logged, because there may
// be many. The caller holds k.room.
func (k *kind) firstTimeIn(namespace, problem string) bool {
	if k.loggedNamespaces[problem] == maxLoggedNamespaces || !k.firstTime(problem+" in "+namespace) {
		return false
	}
	k.loggedNamespaces[problem]++
	return true
}

// logRenderError logs the first object that is left out because it could not be rendered, and the
// first one that made the renderer panic.
func (k *kind) logRenderError(o watch.Object, err error) {
	var p *resources.Panic
	if errors.As(err, &p) {
		if k.firstTime("panic") {
			k.logger.Error("an object is left out because the renderer panicked; this is a bug; further ones are only counted",
				"namespace", string(o.Namespace), "name", string(o.Name), "panic", p.Value, "stack", p.Stack())
		}
		return
	}
	if k.firstTime("render error") {
		k.logger.Warn("an object is left out because it cannot be rendered; further ones are only counted",
			"namespace", string(o.Namespace), "name", string(o.Name), "err", err)
	}
}

// familyFailed counts a family that panicked for an object, and logs the first panic of each
// family.
func (k *kind) familyFailed(o watch.Object, f resources.Failure) {
	family := k.Renderer.Families()[f.Family].Name
	k.failedFamilies.Add(1)
	k.counters.failedFamilies.WithLabelValues(family).Inc()
	if k.firstTime("panic of family " + family) {
		k.logger.Error("a metric family is missing for an object because it panicked; this is a bug; further objects are only counted",
			"family", family, "namespace", string(o.Namespace), "name", string(o.Name), "panic", f.Value, "stack", f.Stack())
	}
}
