package watch

import (
	"context"
	"maps"
	"sync"
)

// ledger passes on what a Reflector brings to its Handler, and notes the versions of it.
type ledger struct {
	Handler

	mu       sync.Mutex
	versions map[string]uint64 // of what the Handler holds, by name; 0 where it is no number
	newest   uint64            // of any object that was received
}

// Put implements Handler.
func (l *ledger) Put(o Object) (room bool) {
	room = l.Handler.Put(o)
	l.mu.Lock()
	defer l.mu.Unlock()
	v := ParseVersion(o.ResourceVersion)
	l.versions[string(o.Name)], l.newest = v, max(l.newest, v)
	return room
}

// Delete implements Handler.
func (l *ledger) Delete(o Object) {
	l.Handler.Delete(o)
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.versions, string(o.Name))
	l.newest = max(l.newest, ParseVersion(o.ResourceVersion))
}

// Replace implements Handler.
func (l *ledger) Replace(all []ObjectRef, resourceVersion string) {
	l.Handler.Replace(all, resourceVersion)
	listed := make(map[string]bool, len(all))
	for _, h := range all {
		listed[h.Name] = true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.DeleteFunc(l.versions, func(name string, _ uint64) bool { return !listed[name] })
}

func (l *ledger) now() (versions map[string]uint64, newest uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.versions), l.newest
}

// differences are what may be an event on its way.
type differences struct {
	missing map[string]lag    // what is not held, or only at an older version
	surplus map[string]uint64 // versions of held objects that are not listed
	older   bool              // received versions are newer than listed ones
}

// lag is the version that a list has of an object, and the one that is held; 0 for none.
type lag struct{ listed, held uint64 }

func (d differences) none() bool { return len(d.missing)+len(d.surplus) == 0 && !d.older }

// since counts what was so before already: no event has brought what was listed
// then, nor another version of what is gone.
func (d differences) since(first differences) (missing, surplus int) {
	for name, before := range first.missing {
		if l, still := d.missing[name]; still && (l.held < before.listed || before.listed == 0) {
			missing++
		}
	}
	for name, before := range first.surplus {
		if held, still := d.surplus[name]; still && held == before {
			surplus++
		}
	}
	return missing, surplus
}

// compare lists the resource. A list that is not from a cache is as new as anything
// that was received before it was requested, unless the API server has other data by
// now: those of a backup. Until its versions have come to where they were, watches
// bring nothing.
func (a *attempt) compare(ctx context.Context) (differences, error) {
	before, newest := a.held.now()
	newest = max(newest, a.reflector.ServerVersion())
	listed := map[string]uint64{}
	version, err := a.reflector.ListMetadata(ctx, func(o Object) { listed[string(o.Name)] = ParseVersion(o.ResourceVersion) })
	if err != nil {
		return differences{}, err
	}
	held, _ := a.held.now()
	d := differences{missing: map[string]lag{}, surplus: map[string]uint64{}}
	d.older = ParseVersion(version) != 0 && ParseVersion(version) < newest
	for name, v := range listed {
		if h, known := held[name]; !known || h < v {
			d.missing[name] = lag{v, h}
		}
		d.older = d.older || v != 0 && v < before[name]
	}
	for name, v := range before {
		_, there := listed[name]
		if h, still := held[name]; !there && still && h == v {
			d.surplus[name] = v
		}
	}
	return d, nil
}
