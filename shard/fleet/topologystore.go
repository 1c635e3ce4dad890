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

// topologyStore is the ConfigMap that the replicas write to and read from, as far as this replica knows it.
//
// Reads past the watch and answers to writes are as new as the object was when they were asked for, so they win over what
// is held when its version is lower than one that was held before they were: then etcd was restored from a backup. What a
// watch brings can be late, and never wins over something newer.
type topologyStore struct {
	name        string
	api         coreclient.ConfigMapInterface
	lists       errorLogger
	watches     errorLogger
	changed     chan<- struct{} // told of each change
	relist      chan struct{}   // told when the watch can bring nothing any more
	lastContact atomicTime

	mu          sync.Mutex
	known       bool              // it was read, or found missing, or may not be read
	deniedSince time.Time         // since when it may not be read; zero when it may
	object      *corev1.ConfigMap // nil when there is none; never changed
	contents    *contents         // of object; nil until they are asked for
	rewinds     int               // how often the versions have gone back
}

// stored is what is known of the object.
type stored struct {
	object  *corev1.ConfigMap // nil when there is none that can be used
	known   bool
	err     error // why it cannot be used; nil as well while nothing is known
	recheck time.Time
	contents
	rewinds int
}

// read returns what is known of the object. It parses each version once.
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

// run follows the object until ctx ends.
func (b *topologyStore) run(ctx context.Context, backoff wait.Backoff) {
	quiet := klog.Logger{}
	runWithRestart(ctx, b.relist, func(ctx context.Context) {
		reflector := cache.NewReflectorWithOptions(b.listWatch(), &corev1.ConfigMap{}, b,
			cache.ReflectorOptions{Name: "fleet topology", Logger: &quiet, Backoff: &backoff})
		reflector.RunWithContext(klog.NewContext(ctx, quiet))
	})
}

// runWithRestart runs work until ctx ends, and again from the start each time that it is told to.
func runWithRestart(ctx context.Context, again <-chan struct{}, work func(ctx context.Context)) {
	for ctx.Err() == nil {
		working, stop := context.WithCancel(ctx)
		var running sync.WaitGroup
		running.Go(func() { work(working) })
		select {
		case <-ctx.Done():
		case <-again:
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
			if !b.recordForbidden(ctx, err) { // a list alone would go out of date
				b.watches.observe(ctx, err)
			}
			return w, err
		},
	}}
}

// recordForbidden notes whether the object may be read, and reports whether it may not: that has a log line of its own.
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

// held returns the object that a read or a write is about to be compared with.
func (b *topologyStore) held() *corev1.ConfigMap {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.object
}

// put takes over what a watch brings, unless something newer is known.
func (b *topologyStore) put(object *corev1.ConfigMap) { b.take(object, nil) }

// take takes over what the API server says. before is the object that was held when it was asked, nil for an event.
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
		notify(b.relist) // a watch from a version that is yet to come is silent until then
	}
	notify(b.changed)
}

// listed takes over the object from a list.
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

// older compares versions of one object. Those that are no numbers are taken as they come.
func older(a, b *corev1.ConfigMap) bool {
	x, errA := strconv.ParseUint(a.ResourceVersion, 10, 64)
	y, errB := strconv.ParseUint(b.ResourceVersion, 10, 64)
	return a.UID == b.UID && errA == nil && errB == nil && x < y
}

// refresh reads the object past the watch, which may be out of order without knowing it. What fails here is for
// the watch to notice.
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

// propose writes the topology in a format, if nobody has written to the object since it was read.
func (b *topologyStore) propose(ctx context.Context, read *corev1.ConfigMap, t topology, format int) error {
	next := read.DeepCopy()
	next.Data = maps.Clone(read.Data)
	if next.Data == nil {
		next.Data = map[string]string{}
	}
	next.Data[topologyKey] = t.text(format)
	for number := range parseReports(next.Data) {
		if !t.active().has(number) && !t.target().has(number) {
			delete(next.Data, reportKey(number)) // of a replica that is gone
		}
	}
	written, err := b.api.Update(ctx, next, metav1.UpdateOptions{FieldManager: fieldManager})
	if err == nil {
		b.put(written)
	}
	return err
}

// probe finds out whether the object may be written, and leaves it as it is.
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

// report writes what this replica has to say, which is nobody else's to write.
func (b *topologyStore) report(ctx context.Context, number int, r replicaReport) error {
	patch := `{"data":{` + strconv.Quote(reportKey(number)) + `:` + strconv.Quote(r.String()) + `}}`
	before := b.held()
	written, err := b.api.Patch(ctx, b.name, types.MergePatchType, []byte(patch), metav1.PatchOptions{FieldManager: fieldManager})
	if err == nil {
		b.take(written, before)
	}
	return err
}

// mine filters by name once more: not everything that answers like an API server knows field selectors.
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

// Replace implements [cache.ReflectorStore]. The list was taken over as it came.
func (b *topologyStore) Replace([]any, string) error { return nil }

// Resync implements [cache.ReflectorStore]; there is nothing to do.
func (b *topologyStore) Resync() error { return nil }
