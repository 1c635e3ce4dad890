package fleet

import (
	"context"
	"log/slog"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	appsclient "k8s.io/client-go/kubernetes/typed/apps/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/statefleet/statefleet/shard"
)

// follower is the store behind the reflector of one StatefulSet. It keeps no object, only what it
// last delivered. The reflector calls it from the goroutine that runs it.
type statefulSetWatcher struct {
	name        string // of the StatefulSet
	ordinal     int    // the number at the end of the pod's name
	changed     func(desiredState)
	log         *slog.Logger
	lastContact *atomicTime           // nil: nobody asks
	listed      func(began time.Time) // told of each list that is complete; nil: nobody asks
	lists       errorLogger
	watches     errorLogger // apart from lists: the right to do the one does not come with the other

	asked time.Time    // when the last list began
	last  desiredState // Total 0: none yet
	state loggedState
}

// relistInterval is how long the StatefulSet is followed before it is listed again. An event that got lost, or a watch that is
// silent since etcd was restored from a backup, would otherwise keep the fleet from being scaled.
const relistInterval = 5 * time.Minute

// watchStatefulSet follows the StatefulSet until ctx ends, and lists it again when it is told to.
func (l *loop) watchStatefulSet(ctx context.Context) {
	f := l.newStatefulSetWatcher(l.name, func(w desiredState) {
		if !w.members().has(w.number()) {
			l.excluded.set()
		}
		l.desired.Store(&w)
		notify(l.changed)
		notify(l.selected)
	})
	f.lastContact = &l.lastContact
	f.listed = func(began time.Time) {
		l.desiredAsOf.Store(&began)
		notify(l.changed)
	}
	sets := l.Client.AppsV1().StatefulSets(l.Namespace)
	runWithRestart(ctx, l.relist, func(ctx context.Context) {
		for ctx.Err() == nil {
			following, stop := context.WithTimeout(ctx, relistInterval)
			f.run(following, sets, l.backoff())
			stop()
		}
	})
}

// run blocks until ctx ends. The reflector's own log lines are dropped: it writes one for each attempt that
// fails, where outage writes one for each change.
func (f *statefulSetWatcher) run(ctx context.Context, sets appsclient.StatefulSetInterface, backoff wait.Backoff) {
	quiet := klog.Logger{}
	reflector := cache.NewReflectorWithOptions(f.listWatch(sets), &appsv1.StatefulSet{}, f,
		cache.ReflectorOptions{Name: "shard discovery", Logger: &quiet, Backoff: &backoff})
	reflector.RunWithContext(klog.NewContext(ctx, quiet))
}

// listWatch asks for the one StatefulSet by its name and logs outages.
func (f *statefulSetWatcher) listWatch(sets appsclient.StatefulSetInterface) cache.ListerWatcher {
	selector := fields.OneTermEqualSelector(metav1.ObjectNameField, f.name).String()
	return withoutWatchList{&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, opts metav1.ListOptions) (runtime.Object, error) {
			opts.FieldSelector = selector
			opts.ResourceVersion, opts.ResourceVersionMatch = "", "" // not from a cache
			f.asked = time.Now()
			list, err := sets.List(ctx, opts)
			f.lists.observe(ctx, err)
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
			opts.FieldSelector = selector
			w, err := sets.Watch(ctx, opts)
			f.watches.observe(ctx, err)
			return w, err
		},
	}}
}

// withoutWatchList keeps the reflector from asking for a streamed list. For one object that saves nothing, and a
// server that does not know it may leave the client waiting for the end of the list.
type withoutWatchList struct{ *cache.ListWatch }

// IsWatchListSemanticsUnSupported is what client-go's watchlist package asks for.
func (withoutWatchList) IsWatchListSemanticsUnSupported() bool { return true }

// observe delivers what set wants, if that is something new.
func (f *statefulSetWatcher) observe(set *appsv1.StatefulSet) {
	next := desiredState{
		Assignment:   shard.Assignment{Ordinal: f.ordinal, Total: 1}, // the API's default for spec.replicas
		Set:          set.UID,
		Revision:     set.Generation,
		OrderedReady: set.Spec.PodManagementPolicy == appsv1.OrderedReadyPodManagement,
	}
	if set.Spec.Replicas != nil {
		next.Total = int(*set.Spec.Replicas)
	}
	if set.Spec.Ordinals != nil {
		next.Start = int(set.Spec.Ordinals.Start)
		next.Ordinal -= next.Start
	}
	// One that cannot be read selects every pod; those of the fleet are told by their names then.
	if selector, err := metav1.LabelSelectorAsSelector(set.Spec.Selector); err == nil {
		next.Selector = selector.String()
	}
	switch {
	case next.Total < 1:
		f.keepAssignment("scaled to 0", "StatefulSet is scaled to 0")
		return
	case next.Total > shard.MaxTotal:
		f.keepAssignment("too large", "StatefulSet has more replicas than a fleet may have", "replicas", next.Total, "max", shard.MaxTotal)
		return
	}
	back := f.state.changedTo("followed")
	if next == f.last {
		if back {
			f.log.Info("StatefulSet is followed again, the assignment is unchanged")
		}
		return
	}
	f.last = next
	f.log.Info("replicas desired", "total", next.Total, "ordinal", next.Ordinal)
	f.changed(next)
}

// keep logs, once, why the last assignment stays although the StatefulSet says something else.
func (f *statefulSetWatcher) keepAssignment(state, message string, args ...any) {
	if !f.state.changedTo(state) {
		return
	}
	if f.last.Total == 0 {
		f.log.Warn(message+"; waiting", args...)
		return
	}
	f.log.Warn(message+"; keeping the assignment", append(args, "shard", f.last.Ordinal, "total", f.last.Total)...)
}

func (f *statefulSetWatcher) onDeleted() { f.keepAssignment("gone", "StatefulSet does not exist") }

// mine filters by name once more: not everything that answers like an API server knows field selectors.
func (f *statefulSetWatcher) matches(obj any) (*appsv1.StatefulSet, bool) {
	set, ok := obj.(*appsv1.StatefulSet)
	return set, ok && set.Name == f.name
}

// Add implements [cache.ReflectorStore].
func (f *statefulSetWatcher) Add(obj any) error {
	f.lastContact.set()
	if set, ok := f.matches(obj); ok {
		f.observe(set)
	}
	return nil
}

// Update implements [cache.ReflectorStore].
func (f *statefulSetWatcher) Update(obj any) error { return f.Add(obj) }

// Delete implements [cache.ReflectorStore].
func (f *statefulSetWatcher) Delete(obj any) error {
	f.lastContact.set()
	if _, ok := f.matches(obj); ok {
		f.onDeleted()
	}
	return nil
}

// Replace implements [cache.ReflectorStore].
func (f *statefulSetWatcher) Replace(list []any, _ string) error {
	f.lastContact.set()
	found := false
	for _, obj := range list {
		if set, ok := f.matches(obj); ok && !found {
			f.observe(set)
			found = true
		}
	}
	if !found {
		f.onDeleted()
	}
	if f.listed != nil {
		f.listed(f.asked)
	}
	return nil
}

// Resync implements [cache.ReflectorStore]; there is nothing to do.
func (f *statefulSetWatcher) Resync() error { return nil }
