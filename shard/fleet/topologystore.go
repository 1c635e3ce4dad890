package fleet

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

// topologyStore keeps this replica's copy of the topology ConfigMap, and writes to it.
//
// The answer to a read or a write is at least as new as the object that was held when the request
// began. If its resourceVersion is lower all the same, etcd was restored from a backup, and the
// answer replaces it. An event of a watch can be late and never replaces a newer object.
type topologyStore struct {
	name        string
	api         coreclient.ConfigMapInterface
	lists       errorLogger
	watches     errorLogger
	changed     chan<- struct{} // notified of each change
	relist      chan struct{}   // notified when the watch cannot deliver events any more
	lastContact atomicTime

	mu          sync.Mutex
	known       bool              // the object was read, is missing, or may not be read
	deniedSince time.Time         // since when the object may not be read; else zero
	object      *corev1.ConfigMap // nil if missing; never modified
	contents    *contents         // of object; nil until needed
	rewinds     int               // how often the resourceVersion went back
}

// stored is the result of reading a topologyStore.
type stored struct {
	object  *corev1.ConfigMap // nil if it is missing or may not be read
	known   bool
	err     error     // why the object is unusable; nil while nothing is known
	recheck time.Time // when a denied read becomes permanent; else zero
	contents
	rewinds int
}

// read returns what is known about the object. It parses each version once.
func (b *topologyStore) read() stored {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := stored{known: b.known, rewinds: b.rewinds}
	switch {
	case b.object == nil && !b.deniedSince.IsZero(), !b.deniedSince.IsZero() && time.Since(b.deniedSince) > deniedGrace:
		s.known, s.err = true, errForbidden
		return s
	case b.known && b.object == nil:
		s.err = errMissing
		return s
	case b.object == nil:
		return s
	case !b.deniedSince.IsZero():
		s.recheck = b.deniedSince.Add(deniedGrace)
	}
	if b.contents == nil {
		parsed := parseContents(b.object.Data)
		b.contents = &parsed
	}
	s.object, s.contents = b.object, *b.contents
	return s
}

// run watches the object until ctx ends.
func (b *topologyStore) run(ctx context.Context, backoff wait.Backoff) {
	quiet := klog.Logger{}
	runWithRestart(ctx, b.relist, func(ctx context.Context) {
		reflector := cache.NewReflectorWithOptions(b.listWatch(), &corev1.ConfigMap{}, b,
			cache.ReflectorOptions{Name: "fleet topology", Logger: &quiet, Backoff: &backoff})
		reflector.RunWithContext(klog.NewContext(ctx, quiet))
	})
}

// runWithRestart runs a function until ctx ends. It cancels and restarts it at each message on
// restart.
func runWithRestart(ctx context.Context, restart <-chan struct{}, run func(ctx context.Context)) {
	for ctx.Err() == nil {
		working, stop := context.WithCancel(ctx)
		var running sync.WaitGroup
		running.Go(func() { run(working) })
		select {
		case <-ctx.Done():
		case <-restart:
		}
		stop()
		running.Wait()
	}
}

func (b *topologyStore) listWatch() cache.ListerWatcher {
	selector := fields.OneTermEqualSelector(metav1.ObjectNameField, b.name).String()
	return withoutWatchList{&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, opts metav1.ListOptions) (runtime.Object, error) {
			opts.FieldSelector = selector
			opts.ResourceVersion, opts.ResourceVersionMatch = "", "" // not from a cache
			before := b.held()
			list, err := b.api.List(ctx, opts)
			if err == nil || !b.recordForbidden(ctx, err) {
				b.lists.observe(ctx, err)
			}
			if err == nil {
				b.listed(list, before)
			}
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
			opts.FieldSelector = selector
			w, err := b.api.Watch(ctx, opts)
			if !b.recordForbidden(ctx, err) { // a list without a watch would become stale
				b.watches.observe(ctx, err)
			}
			return w, err
		},
	}}
}

// recordForbidden records whether the object may be read, and reports whether it may not. The loop
// logs that.
func (b *topologyStore) recordForbidden(ctx context.Context, err error) bool {
	forbidden := apierrors.IsForbidden(err)
	if ctx.Err() != nil || err != nil && !forbidden {
		return false
	}
	b.mu.Lock()
	changed := b.deniedSince.IsZero() == forbidden
	switch {
	case !forbidden:
		b.deniedSince = time.Time{}
	case changed:
		b.deniedSince = time.Now()
	}
	b.mu.Unlock()
	if changed {
		notify(b.changed)
	}
	return forbidden
}

// held returns the object to compare the answer of a request with.
func (b *topologyStore) held() *corev1.ConfigMap {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.object
}

// put accepts the object of an event, unless a newer one is held.
func (b *topologyStore) put(object *corev1.ConfigMap) { b.take(object, nil) }

// take accepts an object from the API server. before is the object that was held when the request
// began, or nil for an event.
func (b *topologyStore) take(object, before *corev1.ConfigMap) {
	b.lastContact.set()
	b.mu.Lock()
	rewound := before != nil && older(object, before)
	if rewound {
		b.rewinds++
	}
	if b.object == nil || rewound || !older(object, b.object) {
		b.object, b.contents, b.known = object, nil, true
	}
	b.mu.Unlock()
	if rewound {
		notify(b.relist) // a watch from a future version would stay silent until then
	}
	notify(b.changed)
}

// listed accepts the object in a list.
func (b *topologyStore) listed(list *corev1.ConfigMapList, before *corev1.ConfigMap) {
	for i := range list.Items {
		if object, ok := b.matches(&list.Items[i]); ok {
			b.take(object, before)
			return
		}
	}
	b.onDeleted()
}

func (b *topologyStore) onDeleted() {
	b.lastContact.set()
	b.mu.Lock()
	b.object, b.contents, b.known = nil, nil, true
	b.mu.Unlock()
	notify(b.changed)
}

// older compares resourceVersions of one object. Versions that are not numbers are never older.
func older(a, b *corev1.ConfigMap) bool {
	x, errA := strconv.ParseUint(a.ResourceVersion, 10, 64)
	y, errB := strconv.ParseUint(b.ResourceVersion, 10, 64)
	return a.UID == b.UID && errA == nil && errB == nil && x < y
}

// refresh reads the object without the watch, which may have failed unnoticed. The watch reports
// errors.
func (b *topologyStore) refresh(ctx context.Context) error {
	before := b.held()
	object, err := b.api.Get(ctx, b.name, metav1.GetOptions{})
	switch {
	case err == nil:
		b.take(object, before)
	case apierrors.IsNotFound(err):
		b.onDeleted()
	}
	return errNotWritten
}

// propose writes the topology in a format, unless the object has changed since it was read.
func (b *topologyStore) propose(ctx context.Context, read *corev1.ConfigMap, t topology, format int) error {
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
	written, err := b.api.Update(ctx, next, metav1.UpdateOptions{FieldManager: fieldManager})
	if err == nil {
		b.put(written)
	}
	return err
}

// probe finds out whether the object may be written, without changing it.
func (b *topologyStore) probe(ctx context.Context, read *corev1.ConfigMap) error {
	if _, err := b.api.Patch(ctx, b.name, types.MergePatchType, []byte(`{}`), metav1.PatchOptions{FieldManager: fieldManager}); err != nil {
		return err
	}
	_, err := b.api.Update(ctx, read.DeepCopy(), metav1.UpdateOptions{FieldManager: fieldManager})
	if apierrors.IsConflict(err) {
		return nil
	}
	return err
}

// report writes this replica's report. Only this replica writes it, so a merge patch needs no
// resourceVersion.
func (b *topologyStore) report(ctx context.Context, number int, r replicaReport) error {
	patch := `{"data":{` + strconv.Quote(reportKey(number)) + `:` + strconv.Quote(r.String()) + `}}`
	before := b.held()
	written, err := b.api.Patch(ctx, b.name, types.MergePatchType, []byte(patch), metav1.PatchOptions{FieldManager: fieldManager})
	if err == nil {
		b.take(written, before)
	}
	return err
}

// matches filters by name again, since not every API server implements field selectors.
func (b *topologyStore) matches(obj any) (*corev1.ConfigMap, bool) {
	object, ok := obj.(*corev1.ConfigMap)
	return object, ok && object != nil && object.Name == b.name
}

// Add implements [cache.ReflectorStore].
func (b *topologyStore) Add(obj any) error {
	if object, ok := b.matches(obj); ok {
		b.put(object)
	}
	return nil
}

// Update implements [cache.ReflectorStore].
func (b *topologyStore) Update(obj any) error { return b.Add(obj) }

// Delete implements [cache.ReflectorStore].
func (b *topologyStore) Delete(obj any) error {
	if _, ok := b.matches(obj); ok {
		b.onDeleted()
	}
	return nil
}

// Replace implements [cache.ReflectorStore]. listed has accepted the list already.
func (b *topologyStore) Replace([]any, string) error { return nil }

// Resync implements [cache.ReflectorStore]; there is nothing to do.
func (b *topologyStore) Resync() error { return nil }
