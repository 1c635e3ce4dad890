package fleet

import (
	"context"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/statefleet/statefleet/internal/watch/objects"
	"github.com/statefleet/statefleet/shard"
)

// peer is the state of a replica's pod.
type peer struct {
	uid         types.UID
	address     string // "" before it has one
	pending     bool   // it is not scheduled, or its containers have not started
	reason      string // why it is pending, or why a container does not run; "" if there is no reason
	ready       bool   // its condition Ready is true
	neverReady  bool   // it has not been ready, and its containers run for the first time
	terminating bool   // it is being deleted
}

// peers are the fleet's existing pods, by number.
type peers map[int]peer

// podTracker watches the fleet's pods, for replicas that stand by for one another and for people.
type podTracker struct {
	*objects.Watcher[*corev1.Pod]
	set string // name of the StatefulSet
}

// newPodTracker returns a tracker of the pods that the StatefulSet selects.
func (l *loop) newPodTracker() *podTracker {
	return &podTracker{set: l.name, Watcher: objects.NewWatcher(objects.Options[*corev1.Pod]{
		API: l.Client.Pods, Labels: func() string { return l.desired.Load().Selector }, Cached: true,
		Noun: "the fleet's pods", Logger: l.log, Backoff: l.backoff(), RelistInterval: relistInterval,
		Changed: func(objects.State[*corev1.Pod]) {
			if l.Standby {
				notify(l.changed)
			}
		},
	})}
}

// trackPods tracks the pods until ctx ends, once their selector is known.
func (l *loop) trackPods(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-l.selected:
		l.podTracker.Run(ctx)
	}
}

// read returns the fleet's pods by number; nil before the first list, and while reads are denied
// permanently, since their state would be stale forever.
func (p *podTracker) read() (all peers, permanent bool) {
	now := p.State()
	if permanent = denied(now); permanent || now.Objects == nil {
		return nil, permanent
	}
	all = peers{}
	for name, pod := range now.Objects {
		if stem, number, err := shard.Ordinal(name); err == nil && stem == p.set {
			all[number] = peerOf(pod)
		}
	}
	return all, permanent
}

func peerOf(pod *corev1.Pod) peer {
	p := peer{uid: pod.UID, address: pod.Status.PodIP, reason: waitReason(pod), terminating: pod.DeletionTimestamp != nil}
	p.pending = pod.Status.Phase == corev1.PodPending
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			p.ready = c.Status == corev1.ConditionTrue
			p.neverReady = c.Status == corev1.ConditionFalse &&
				firstRun(pod.Status.ContainerStatuses, c.LastTransitionTime)
		}
	}
	return p
}

// waitReason returns why a pod is not scheduled or a container of it does not run, such as
// "Unschedulable: 0/2 nodes are available" or "ImagePullBackOff"; "" without a reason.
func waitReason(pod *corev1.Pod) string {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return joinNonEmpty(c.Reason, c.Message)
		}
	}
	for _, c := range pod.Status.ContainerStatuses {
		if w := c.State.Waiting; w != nil {
			return joinNonEmpty(w.Reason, w.Message)
		}
	}
	return ""
}

// joinNonEmpty returns a reason and its message, without the one that is empty.
func joinNonEmpty(reason, message string) string {
	return strings.Join(slices.DeleteFunc([]string{reason, message}, func(s string) bool { return s == "" }), ": ")
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
