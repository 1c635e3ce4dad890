package shard

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
)

// follower is the store behind the reflector of one StatefulSet. It keeps no object, only what it
// last delivered. The reflector calls it from the goroutine that runs it.
type follower struct {
	name    string // of the StatefulSet
	ordinal int    // the number at the end of the pod's name
	changed func(Wanted)
	log     *slog.Logger
	heard   *heard
	listed  func(began time.Time) // told of each list that is complete
	lists   outage
	watches outage // apart from lists: the right to do the one does not come with the other

	asked time.Time // when the last list began
	last  Wanted    // Total 0: none yet
	state condition
}

// relistSet is how long the StatefulSet is followed before it is listed again. An event that got lost, or a watch that is
// silent since etcd was restored from a backup, would otherwise keep the fleet from being scaled.
const relistSet = 5 * time.Minute

// followSet follows the StatefulSet until ctx ends, and lists it again when it is told to.
func (l *loop) followSet(ctx context.Context) {
	changed := func(w Wanted) {
		if !w.members().has(w.number()) {
			l.excluded.now()
		}
		l.wanted.Store(&w)
		notify(l.changed)
		notify(l.selected)
	}
	listed := func(began time.Time) {
		l.confirmed.Store(&began)
		notify(l.changed)
	}
	untilTold(ctx, l.relist, func(ctx context.Context) {
		for ctx.Err() == nil {
			following, stop := context.WithTimeout(ctx, relistSet)
			l.follow(following, l.name, changed, &l.heard, listed)
			stop()
		}
	})
}

// run blocks until ctx ends. The reflector's own log lines are dropped: it writes one for each attempt that
// fails, where outage writes one for each change.
func (f *follower) run(ctx context.Context, sets appsclient.StatefulSetInterface, backoff wait.Backoff) {
	quiet := klog.Logger{}
	reflector := cache.NewReflectorWithOptions(f.listWatch(sets), &appsv1.StatefulSet{}, f,
		cache.ReflectorOptions{Name: "shard discovery", Logger: &quiet, Backoff: &backoff})
	reflector.RunWithContext(klog.NewContext(ctx, quiet))
}

// listWatch asks for the one StatefulSet by its name and logs outages.
func (f *follower) listWatch(sets appsclient.StatefulSetInterface) cache.ListerWatcher {
	selector := fields.OneTermEqualSelector(metav1.ObjectNameField, f.name).String()
	return plainList{&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, opts metav1.ListOptions) (runtime.Object, error) {
			opts.FieldSelector = selector
			opts.ResourceVersion, opts.ResourceVersionMatch = "", "" // not from a cache
			f.asked = time.Now()
			list, err := sets.List(ctx, opts)
			f.lists.saw(ctx, err)
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
			opts.FieldSelector = selector
			w, err := sets.Watch(ctx, opts)
			f.watches.saw(ctx, err)
			return w, err
		},
	}}
}

// plainList keeps the reflector from asking for a streamed list. For one object that saves nothing, and a
// server that does not know it may leave the client waiting for the end of the list.
type plainList struct{ *cache.ListWatch }

// IsWatchListSemanticsUnSupported is what client-go's watchlist package asks for.
func (plainList) IsWatchListSemanticsUnSupported() bool { return true }

// observe delivers what set wants, if that is something new.
func (f *follower) observe(set *appsv1.StatefulSet) {
	next := Wanted{
		Assignment: Assignment{Ordinal: f.ordinal, Total: 1}, // the API's default for spec.replicas
		Set:        set.UID,
		Revision:   set.Generation,
		OneByOne:   set.Spec.PodManagementPolicy == appsv1.OrderedReadyPodManagement,
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
		f.keep("scaled to 0", "StatefulSet is scaled to 0")
		return
	case next.Total > MaxTotal:
		f.keep("too large", "StatefulSet has more replicas than a fleet may have", "replicas", next.Total, "max", MaxTotal)
		return
	}
	back := f.state.turns("followed")
	if next == f.last {
		if back {
			f.log.Info("StatefulSet is followed again, the assignment is unchanged")
		}
		return
	}
	f.last = next
	f.log.Info("replicas wanted", "total", next.Total, "ordinal", next.Ordinal)
	f.changed(next)
}

// keep logs, once, why the last assignment stays although the StatefulSet says something else.
func (f *follower) keep(state, message string, args ...any) {
	if !f.state.turns(state) {
		return
	}
	if f.last.Total == 0 {
		f.log.Warn(message+"; waiting", args...)
		return
	}
	f.log.Warn(message+"; keeping the assignment", append(args, "shard", f.last.Ordinal, "total", f.last.Total)...)
}

func (f *follower) gone() { f.keep("gone", "StatefulSet does not exist") }

// mine filters by name once more: not everything that answers like an API server knows field selectors.
func (f *follower) mine(obj any) (*appsv1.StatefulSet, bool) {
	set, ok := obj.(*appsv1.StatefulSet)
	return set, ok && set.Name == f.name
}

// Add implements [cache.ReflectorStore].
func (f *follower) Add(obj any) error {
	f.heard.now()
	if set, ok := f.mine(obj); ok {
		f.observe(set)
	}
	return nil
}

// Update implements [cache.ReflectorStore].
func (f *follower) Update(obj any) error { return f.Add(obj) }

// Delete implements [cache.ReflectorStore].
func (f *follower) Delete(obj any) error {
	f.heard.now()
	if _, ok := f.mine(obj); ok {
		f.gone()
	}
	return nil
}

// Replace implements [cache.ReflectorStore].
func (f *follower) Replace(list []any, _ string) error {
	f.heard.now()
	found := false
	for _, obj := range list {
		if set, ok := f.mine(obj); ok && !found {
			f.observe(set)
			found = true
		}
	}
	if !found {
		f.gone()
	}
	if f.listed != nil {
		f.listed(f.asked)
	}
	return nil
}

// Resync implements [cache.ReflectorStore]; there is nothing to do.
func (f *follower) Resync() error { return nil }
