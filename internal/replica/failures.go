package replica

import (
	"errors"

	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/resources"
)

// notRendered logs an object that is left out because it could not be rendered:
// the first one, and the first one that made the renderer panic.
func (k *kind) notRendered(o watch.Object, err error) {
	var p *resources.Panic
	if errors.As(err, &p) {
		k.logFirstPanic.Do(func() {
			k.logger.Error("rendering an object panicked and it is left out; this is a bug; further ones are only counted",
				"namespace", string(o.Namespace), "name", string(o.Name), "panic", p.Value, "stack", p.Stack())
		})
		return
	}
	k.logFirstUnreadable.Do(func() {
		k.logger.Warn("an object could not be rendered and is left out; further ones are only counted",
			"namespace", string(o.Namespace), "name", string(o.Name), "err", err)
	})
}

// familyFailed counts a family that is missing for an object, and logs the first time that
// the family is.
func (k *kind) familyFailed(o watch.Object, f resources.Failure) {
	family := k.Renderer.Families()[f.Family].Name
	k.counters.familyFailed(family)
	k.broken[f.Family].Do(func() {
		k.logger.Error("a metric family panicked and is missing for an object; this is a bug; further objects are only counted",
			"family", family, "namespace", string(o.Namespace), "name", string(o.Name), "panic", f.Value, "stack", f.Stack())
	})
}
