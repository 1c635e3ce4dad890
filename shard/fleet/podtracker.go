package fleet

import (
	"context"
	"log/slog"
	"maps"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/statefleet/statefleet/shard"
)

// peer is the state of a replica's pod.
type peer struct {
	uid         types.UID
	ready       bool // its condition Ready is true
	neverReady  bool // it has not been ready, and its containers run for the first time
	terminating bool // it is being deleted
}

// peers are the fleet's existing pods, by number.
type peers map[int]peer

// podTracker watches the fleet's pods, for replicas that stand by for one another. It keeps a peer
// per pod, not the pod.
type podTracker struct {
	set          string // name of the StatefulSet
	api          coreclient.PodInterface
	lists        errorLogger
	watches      errorLogger
	changed      chan<- struct{} // notified of each change
	lastContact  atomicTime
	deniedLogged loggedState // for the log
	log          *slog.Logger

	mu          sync.Mutex
	known       bool
	deniedSince time.Time       // since when the pods may not be listed; else zero
	pods        map[string]peer // by pod name; replaced, never modified
}

// trackPods tracks the pods that the StatefulSet selects, until ctx ends. The selector of a
// StatefulSet is immutable, but a StatefulSet can be recreated under the same name with another
// one.
func (l *loop) trackPods(ctx context.Context) {
	for ctx.Err() == nil {
		if w := l.desired.Load(); w != nil {
			l.trackSelected(ctx, w.Selector)
			continue
		}
		select {
		case <-ctx.Done():
		case <-l.selected:
		}
	}
}

// trackSelected tracks the pods of one selector until the StatefulSet has another one.
func (l *loop) trackSelected(ctx context.Context, selector string) {
	ctx, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	running.Go(func() { l.podTracker.run(ctx, selector, l.backoff()) })
	for l.desired.Load().Selector == selector {
		select {
		case <-ctx.Done():
			return
		case <-l.selected:
		}
	}
}

// read returns the fleet's pods by number. known is false before the first list. denied is true
// once the pods could not be listed for deniedGrace: their state would be stale forever. recheck is
// when denied may change without an event; zero: never.
func (r *podTracker) read() (all peers, known, denied bool, recheck time.Time) {
	r.mu.Lock()
	pods, known, refused := r.pods, r.known, r.deniedSince
	r.mu.Unlock()
	if !refused.IsZero() {
		recheck = refused.Add(deniedGrace)
		if denied = !time.Now().Before(recheck); denied {
			return nil, false, true, time.Time{}
		}
	}
	if !known {
		return nil, false, false, recheck
	}
	all = peers{}
	for name, p := range pods {
		stem, number, err := shard.Ordinal(name)
		if err == nil && stem == r.set && name == stem+"-"+strconv.Itoa(number) {
			all[number] = p
		}
	}
	return all, true, false, recheck
}

// run tracks the pods of a label selector until ctx ends. It lists them again after each
// relistInterval.
func (r *podTracker) run(ctx context.Context, selector string, backoff wait.Backoff) {
	quiet := klog.Logger{}
	for ctx.Err() == nil {
		following, stop := context.WithTimeout(ctx, relistInterval)
		reflector := cache.NewReflectorWithOptions(r.listWatch(selector), &corev1.Pod{}, r,
			cache.ReflectorOptions{Name: "fleet pods", Logger: &quiet, Backoff: &backoff})
		reflector.RunWithContext(klog.NewContext(following, quiet))
		stop()
	}
}

func (r *podTracker) listWatch(selector string) cache.ListerWatcher {
	return withoutWatchList{&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, opts metav1.ListOptions) (runtime.Object, error) {
			opts.LabelSelector = selector
			list, err := r.api.List(ctx, opts)
			if !r.recordForbidden(ctx, err) {
				r.lists.observe(ctx, err)
			}
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
			opts.LabelSelector = selector
			w, err := r.api.Watch(ctx, opts)
			r.watches.observe(ctx, err)
			return w, err
		},
	}}
}

// recordForbidden records whether the pods may be listed, and reports whether they may not.
func (r *podTracker) recordForbidden(ctx context.Context, err error) bool {
	forbidden := apierrors.IsForbidden(err)
	if ctx.Err() != nil || err != nil && !forbidden {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case !forbidden:
		r.deniedSince = time.Time{}
		r.deniedLogged.changedTo("")
	case r.deniedSince.IsZero():
		r.deniedSince = time.Now()
		notify(r.changed)
		if r.deniedLogged.changedTo("refused") {
			r.log.Warn("cannot list the fleet's pods; standby is off", "err", err)
		}
	}
	return forbidden
}

// change applies edit to a copy of the known pods.
func (r *podTracker) change(edit func(pods map[string]peer)) {
	r.lastContact.set()
	r.mu.Lock()
	pods := maps.Clone(r.pods)
	if pods == nil {
		pods = map[string]peer{}
	}
	edit(pods)
	r.pods = pods
	r.mu.Unlock()
	notify(r.changed)
}

func peerOf(pod *corev1.Pod) peer {
	p := peer{uid: pod.UID, terminating: pod.DeletionTimestamp != nil}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			p.ready = c.Status == corev1.ConditionTrue
			p.neverReady = c.Status == corev1.ConditionFalse &&
				firstRun(pod.Status.ContainerStatuses, c.LastTransitionTime)
		}
	}
	return p
}

// firstRun reports whether all containers of a pod run for the first time and started after it became
// not ready. Then the pod has never been ready.
func firstRun(containers []corev1.ContainerStatus, unready metav1.Time) bool {
	for _, c := range containers {
		if c.State.Running == nil || c.RestartCount > 0 || c.State.Running.StartedAt.Time.Before(unready.Time) {
			return false
		}
	}
	return len(containers) > 0
}

// Add implements [cache.ReflectorStore].
func (r *podTracker) Add(obj any) error {
	if pod, ok := obj.(*corev1.Pod); ok {
		r.change(func(pods map[string]peer) { pods[pod.Name] = peerOf(pod) })
	}
	return nil
}

// Update implements [cache.ReflectorStore].
func (r *podTracker) Update(obj any) error { return r.Add(obj) }

// Delete implements [cache.ReflectorStore].
func (r *podTracker) Delete(obj any) error {
	if pod, ok := obj.(*corev1.Pod); ok {
		r.change(func(pods map[string]peer) { delete(pods, pod.Name) })
	}
	return nil
}

// Replace implements [cache.ReflectorStore].
func (r *podTracker) Replace(list []any, _ string) error {
	r.mu.Lock()
	r.known = true
	r.mu.Unlock()
	r.change(func(pods map[string]peer) {
		clear(pods)
		for _, obj := range list {
			if pod, ok := obj.(*corev1.Pod); ok {
				pods[pod.Name] = peerOf(pod)
			}
		}
	})
	return nil
}

// Resync implements [cache.ReflectorStore]; there is nothing to do.
func (r *podTracker) Resync() error { return nil }
