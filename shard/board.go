package shard

import (
	"context"
	"maps"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
)

// board is the object that the replicas write to and read from, as far as this replica has heard of it.
type board struct {
	name    string
	api     coreclient.ConfigMapInterface
	lists   outage
	watches outage
	news    chan<- struct{} // told of each change
	heard   heard

	mu      sync.Mutex
	known   bool              // it was read, or found missing, or may not be read
	refused time.Time         // since when it may not be read; zero when it may
	object  *corev1.ConfigMap // nil when there is none; never changed
}

// read returns what is known of the object. The error says why it cannot be used, nil as well while it is not
// known.
func (b *board) read() (object *corev1.ConfigMap, known bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.object == nil && !b.refused.IsZero(), !b.refused.IsZero() && time.Since(b.refused) > refusedFor:
		return nil, true, errForbidden
	case b.known && b.object == nil:
		return nil, true, errMissing
	}
	return b.object, b.known, nil
}

func (b *board) run(ctx context.Context, backoff wait.Backoff) {
	quiet := klog.Logger{}
	reflector := cache.NewReflectorWithOptions(b.listWatch(), &corev1.ConfigMap{}, b,
		cache.ReflectorOptions{Name: "fleet topology", Logger: &quiet, Backoff: &backoff})
	reflector.RunWithContext(klog.NewContext(ctx, quiet))
}

func (b *board) listWatch() cache.ListerWatcher {
	selector := fields.OneTermEqualSelector(metav1.ObjectNameField, b.name).String()
	return plainList{&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, opts metav1.ListOptions) (runtime.Object, error) {
			opts.FieldSelector = selector
			list, err := b.api.List(ctx, opts)
			if err == nil || !b.forbids(ctx, err) {
				b.lists.saw(ctx, err)
			}
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
			opts.FieldSelector = selector
			w, err := b.api.Watch(ctx, opts)
			if !b.forbids(ctx, err) { // a list alone would go out of date
				b.watches.saw(ctx, err)
			}
			return w, err
		},
	}}
}

// forbids notes whether the object may be read, and reports whether it may not: that has a log line of its own.
func (b *board) forbids(ctx context.Context, err error) bool {
	forbidden := apierrors.IsForbidden(err)
	if ctx.Err() != nil || err != nil && !forbidden {
		return false
	}
	b.mu.Lock()
	switch {
	case !forbidden:
		b.refused = time.Time{}
	case b.refused.IsZero():
		b.refused = time.Now()
	}
	b.mu.Unlock()
	poke(b.news)
	return forbidden
}

// put takes over what the API server says, unless something newer is known.
func (b *board) put(object *corev1.ConfigMap) {
	b.heard.now()
	b.mu.Lock()
	if b.object == nil || !older(object, b.object) {
		b.object, b.known = object, true
	}
	b.mu.Unlock()
	poke(b.news)
}

func (b *board) gone() {
	b.heard.now()
	b.mu.Lock()
	b.object, b.known = nil, true
	b.mu.Unlock()
	poke(b.news)
}

// older compares versions of one object. Those that are no numbers are taken as they come.
func older(a, b *corev1.ConfigMap) bool {
	x, errA := strconv.ParseUint(a.ResourceVersion, 10, 64)
	y, errB := strconv.ParseUint(b.ResourceVersion, 10, 64)
	return a.UID == b.UID && errA == nil && errB == nil && x < y
}

// refresh reads the object past the watch, which may be out of order without knowing it. What fails here is for
// the watch to notice.
func (b *board) refresh(ctx context.Context) error {
	object, err := b.api.Get(ctx, b.name, metav1.GetOptions{})
	switch {
	case err == nil:
		b.put(object)
	case apierrors.IsNotFound(err):
		b.gone()
	}
	return errNotWritten
}

// propose writes the topology, if nobody has written to the object since it was read.
func (b *board) propose(ctx context.Context, read *corev1.ConfigMap, t Topology) error {
	next := read.DeepCopy()
	next.Data = maps.Clone(read.Data)
	if next.Data == nil {
		next.Data = map[string]string{}
	}
	next.Data[topologyKey] = t.String()
	for ordinal := range parseReports(next.Data) {
		if ordinal >= max(t.Active, t.Target) {
			delete(next.Data, reportKey(ordinal)) // of a replica that is gone
		}
	}
	written, err := b.api.Update(ctx, next, metav1.UpdateOptions{FieldManager: fieldManager})
	if err == nil {
		b.put(written)
	}
	return err
}

// probe finds out whether the object may be written, and leaves it as it is.
func (b *board) probe(ctx context.Context, read *corev1.ConfigMap) error {
	if _, err := b.api.Patch(ctx, b.name, types.MergePatchType, []byte(`{}`), metav1.PatchOptions{FieldManager: fieldManager}); err != nil {
		return err
	}
	_, err := b.api.Update(ctx, read.DeepCopy(), metav1.UpdateOptions{FieldManager: fieldManager})
	if apierrors.IsConflict(err) {
		return nil
	}
	return err
}

// report writes what this replica has to say, which is nobody else's to write.
func (b *board) report(ctx context.Context, ordinal int, r Report) error {
	patch := `{"data":{` + strconv.Quote(reportKey(ordinal)) + `:` + strconv.Quote(r.String()) + `}}`
	written, err := b.api.Patch(ctx, b.name, types.MergePatchType, []byte(patch), metav1.PatchOptions{FieldManager: fieldManager})
	if err == nil {
		b.put(written)
	}
	return err
}

// mine filters by name once more: not everything that answers like an API server knows field selectors.
func (b *board) mine(obj any) (*corev1.ConfigMap, bool) {
	object, ok := obj.(*corev1.ConfigMap)
	return object, ok && object != nil && object.Name == b.name
}

// Add implements [cache.ReflectorStore].
func (b *board) Add(obj any) error {
	if object, ok := b.mine(obj); ok {
		b.put(object)
	}
	return nil
}

// Update implements [cache.ReflectorStore].
func (b *board) Update(obj any) error { return b.Add(obj) }

// Delete implements [cache.ReflectorStore].
func (b *board) Delete(obj any) error {
	if _, ok := b.mine(obj); ok {
		b.gone()
	}
	return nil
}

// Replace implements [cache.ReflectorStore].
func (b *board) Replace(list []any, _ string) error {
	for _, obj := range list {
		if object, ok := b.mine(obj); ok {
			b.put(object)
			return nil
		}
	}
	b.gone()
	return nil
}

// Resync implements [cache.ReflectorStore]; there is nothing to do.
func (b *board) Resync() error { return nil }
