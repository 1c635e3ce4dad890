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

// statefulSetWatcher is the store behind the reflector of one StatefulSet. It keeps the desired
// state that it delivered last, not the object. Only the reflector's goroutine calls it.
type statefulSetWatcher struct {
	name        string // of the StatefulSet
	ordinal     int    // number at the end of the pod's name
	changed     func(desiredState)
	log         *slog.Logger
	lastContact *atomicTime           // nil: not recorded
	listed      func(began time.Time) // receives the start time of each complete list; may be nil
	lists       errorLogger
	watches     errorLogger // separate from lists: RBAC may allow only one of them

	asked time.Time    // start of the last list
	last  desiredState // Total is 0 before the first delivery
	state loggedState
}

// relistInterval is how long the StatefulSet and the pods are watched before they are listed again.
// Otherwise a lost event, or a watch that stays silent after a restore of etcd, would keep the
// fleet from being scaled, or leave a shard served twice or not at all.
const relistInterval = 5 * time.Minute

// watchStatefulSet watches the StatefulSet until ctx ends. It lists it again after each
// relistInterval and on request.
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

// run watches until ctx ends. It drops the reflector's log lines, one per failed attempt;
// errorLogger logs one per change.
func (f *statefulSetWatcher) run(ctx context.Context, sets appsclient.StatefulSetInterface, backoff wait.Backoff) {
	quiet := klog.Logger{}
	reflector := cache.NewReflectorWithOptions(f.listWatch(sets), &appsv1.StatefulSet{}, f,
		cache.ReflectorOptions{Name: "shard discovery", Logger: &quiet, Backoff: &backoff})
	reflector.RunWithContext(klog.NewContext(ctx, quiet))
}

// listWatch selects the StatefulSet by name and logs failing requests.
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

// withoutWatchList keeps the reflector from asking for a streamed list. For one object that saves
// nothing, and a server that does not support it may never end the list.
type withoutWatchList struct{ *cache.ListWatch }

// IsWatchListSemanticsUnSupported implements an interface of client-go's watchlist package.
func (withoutWatchList) IsWatchListSemanticsUnSupported() bool { return true }

// observe delivers the desired state of the StatefulSet if it has changed.
func (f *statefulSetWatcher) observe(set *appsv1.StatefulSet) {
	next := desiredState{
		Assignment:   shard.Assignment{Ordinal: f.ordinal, Total: 1}, // the default of spec.replicas
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
	// An invalid selector selects every pod. The tracker then finds the fleet's pods by name alone.
	if selector, err := metav1.LabelSelectorAsSelector(set.Spec.Selector); err == nil {
		next.Selector = selector.String()
	}
	switch {
	case next.Total < 1:
		f.keepAssignment("scaled to 0", "StatefulSet is scaled to 0")
		return
	case next.Total > shard.MaxTotal:
		f.keepAssignment("too large", "StatefulSet has too many replicas",
			"replicas", next.Total, "max", shard.MaxTotal)
		return
	}
	restored := f.state.changedTo("followed")
	if next == f.last {
		if restored {
			f.log.Info("StatefulSet is usable again; the assignment is unchanged")
		}
		return
	}
	f.last = next
	f.log.Info("StatefulSet changed", "total", next.Total, "ordinal", next.Ordinal)
	f.changed(next)
}

// keepAssignment logs once why the last assignment stays valid although the StatefulSet changed.
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

// matches filters by name again, since not every API server implements field selectors.
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
