package fleet

import (
	"context"
	"maps"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/statefleet/statefleet/internal/watch/objects"
)

// topologyStore keeps this replica's copy of the topology ConfigMap, and writes to it.
type topologyStore struct {
	*objects.Watcher[*corev1.ConfigMap]
}

// newTopologyStore returns the store of the named ConfigMap.
func (l *loop) newTopologyStore(name string) topologyStore {
	return topologyStore{objects.NewWatcher(objects.Options[*corev1.ConfigMap]{
		API: l.Client.ConfigMaps, Name: name, Backoff: l.backoff(),
		Noun: "the fleet's topology", Logger: l.log, DenialsLogged: true, // by the loop
		Changed: func(objects.State[*corev1.ConfigMap]) { notify(l.changed) },
	})}
}

// stored is the result of reading a topologyStore.
type stored struct {
	object *corev1.ConfigMap // nil if it is missing, immutable, or may not be read
	known  bool              // the object was read, is missing, or may not be read
	err    error             // why the object is unusable; nil while nothing is known
	contents
	rewinds int
}

// read returns what is known about the object.
func (ts topologyStore) read() stored {
	now := ts.State()
	object := now.Objects[ts.Name]
	s := stored{known: now.Objects != nil, rewinds: now.Rewinds}
	switch {
	case denied(now), object == nil && !now.DeniedSince.IsZero():
		s.known, s.err = true, errForbidden
	case object != nil && object.Immutable != nil && *object.Immutable:
		s.err = errImmutable // a probe would not notice it, since writes that change nothing are accepted
	case object != nil:
		s.object, s.contents = object, parseContents(object.Data)
	case s.known:
		s.err = errMissing
	}
	return s
}

// denied reports whether reads count as denied permanently. The time since a single denial does not
// tell: the API server may be away until the next attempt.
func denied[T objects.Object](now objects.State[T]) bool {
	return now.DeniedUntil.Sub(now.DeniedSince) >= deniedGrace
}

// refresh reads the object without the watch, which may have failed unnoticed. The watch reports
// errors.
func (ts topologyStore) refresh(ctx context.Context) error {
	_ = ts.Send(ctx, ts.Name, func(ctx context.Context) (*corev1.ConfigMap, error) { return ts.API.Get(ctx, ts.Name) })
	return errNotWritten
}

// propose writes the topology in a format, unless the object has changed since it was read.
func (ts topologyStore) propose(ctx context.Context, read *corev1.ConfigMap, t topology, format int) error {
	next := read.DeepCopy()
	next.Data = maps.Clone(read.Data)
	if next.Data == nil {
		next.Data = map[string]string{}
	}
	next.Data[topologyKey] = t.text(format)
	for number := range parseReports(next.Data) {
		if !t.active().has(number) && !t.target().has(number) {
			delete(next.Data, reportKey(number)) // this replica has left
		}
	}
	return ts.Send(ctx, ts.Name, func(ctx context.Context) (*corev1.ConfigMap, error) { return ts.API.Update(ctx, next) })
}

// probe finds out whether the object may be written, without changing it.
func (ts topologyStore) probe(ctx context.Context, read *corev1.ConfigMap) error {
	if _, err := ts.API.MergePatch(ctx, ts.Name, []byte(`{}`)); err != nil {
		return err
	}
	_, err := ts.API.Update(ctx, read.DeepCopy())
	if apierrors.IsConflict(err) {
		return nil
	}
	return err
}

// report writes this replica's report. Only this replica writes it, so a merge patch needs no
// resourceVersion.
func (ts topologyStore) report(ctx context.Context, number int, r replicaReport) error {
	patch := []byte(`{"data":{` + strconv.Quote(reportKey(number)) + `:` + strconv.Quote(r.String()) + `}}`)
	return ts.Send(ctx, ts.Name, func(ctx context.Context) (*corev1.ConfigMap, error) {
		return ts.API.MergePatch(ctx, ts.Name, patch)
	})
}
