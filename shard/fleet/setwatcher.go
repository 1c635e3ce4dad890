package fleet

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/internal/watch/objects"
	"github.com/statefleet/statefleet/shard"
)

// relistInterval is how long the StatefulSet and the pods are watched before they are listed again.
// Otherwise a lost event, or a watch that stays silent after a restore of etcd, would keep the
// fleet from being scaled, or leave a shard served twice or not at all.
const relistInterval = 5 * time.Minute

// statefulSetWatcher watches one StatefulSet and delivers the desired state of the fleet. Its fields
// belong to the goroutine of Run.
type statefulSetWatcher struct {
	*objects.Watcher[*appsv1.StatefulSet]
	ordinal int                   // number at the end of the pod's name
	changed func(observedDesired) // called after each change of the StatefulSet, and after each list
	last    observedDesired
	state   loggedState
}

// observedDesired is the desired state as the watch of the StatefulSet has delivered it.
type observedDesired struct {
	desiredState           // Total is 0 before the first that can be followed
	asOf         time.Time // start of the last list that confirmed it
	excluded     time.Time // last time that it did not include this replica
}

// newStatefulSetWatcher returns a watcher of the named StatefulSet.
func (c *Coordinator) newStatefulSetWatcher(name string, changed func(observedDesired)) *statefulSetWatcher {
	_, ordinal, _ := shard.Ordinal(c.Pod) // identity has checked it
	s := &statefulSetWatcher{ordinal: ordinal, changed: changed}
	s.Watcher = objects.NewWatcher(objects.Options[*appsv1.StatefulSet]{
		API: c.Client.StatefulSets, Name: name, Noun: "the StatefulSet", Logger: c.log().With("statefulset", name),
		RelistInterval: relistInterval, Backoff: c.backoff(), Changed: s.observe,
	})
	return s
}

// observe delivers the desired state.
func (s *statefulSetWatcher) observe(now objects.State[*appsv1.StatefulSet]) {
	if now.Objects == nil {
		return
	}
	if set := now.Objects[s.Name]; set == nil {
		s.keepAssignment("gone", "StatefulSet does not exist")
	} else {
		s.follow(desiredStateOf(set, s.ordinal))
	}
	s.last.asOf = now.ListedAt
	s.changed(s.last)
}

// desiredStateOf returns the desired state for the replica whose pod's name ends in ordinal.
func desiredStateOf(set *appsv1.StatefulSet, ordinal int) desiredState {
	d := desiredState{
		Assignment:   shard.Assignment{Ordinal: ordinal, Total: 1}, // the default of spec.replicas
		Set:          set.UID,
		Revision:     set.Generation,
		OrderedReady: set.Spec.PodManagementPolicy == appsv1.OrderedReadyPodManagement,
	}
	if set.Spec.Replicas != nil {
		d.Total = int(*set.Spec.Replicas)
	}
	if set.Spec.Ordinals != nil {
		d.Start = int(set.Spec.Ordinals.Start)
		d.Ordinal -= d.Start
	}
	// An invalid selector selects every pod. The tracker then finds the fleet's pods by name alone.
	if selector, err := metav1.LabelSelectorAsSelector(set.Spec.Selector); err == nil {
		d.Selector = selector.String()
	}
	return d
}

// follow records a desired state, unless the fleet cannot have as many replicas.
func (s *statefulSetWatcher) follow(next desiredState) {
	switch {
	case next.Total < 1:
		s.keepAssignment("scaled to 0", "StatefulSet is scaled to 0")
		return
	case next.Total > shard.MaxTotal:
		s.keepAssignment("too large", "StatefulSet has too many replicas",
			"replicas", next.Total, "max", shard.MaxTotal)
		return
	}
	restored := s.state.changedTo("followed")
	if next == s.last.desiredState {
		if restored {
			s.Logger.Info("StatefulSet is usable again; the assignment is unchanged")
		}
		return
	}
	s.last.desiredState = next
	if !next.members().has(next.number()) {
		s.last.excluded = time.Now()
	}
	s.Logger.Info("StatefulSet changed", "total", next.Total, "ordinal", next.Ordinal)
}

// keepAssignment logs once why the last assignment stays valid although the StatefulSet changed.
func (s *statefulSetWatcher) keepAssignment(state, message string, args ...any) {
	if !s.state.changedTo(state) {
		return
	}
	if s.last.Total == 0 {
		s.Logger.Warn(message+"; waiting", args...)
		return
	}
	s.Logger.Warn(message+"; keeping the assignment", append(args, "shard", s.last.Ordinal, "total", s.last.Total)...)
}

// onDesiredState stores the desired state. The selector of a StatefulSet is immutable, but a
// StatefulSet can be recreated under the same name with another one.
func (l *loop) onDesiredState(d observedDesired) {
	before := l.desired.Swap(&d)
	notify(l.changed)
	if before != nil && before.Selector != d.Selector {
		l.podTracker.Relist()
	}
	if d.Total > 0 {
		notify(l.selected)
	}
}

// loggedState is a state whose changes are logged.
type loggedState struct{ current string }

// changedTo records a state and reports whether it was another one before.
func (c *loggedState) changedTo(to string) bool {
	was := c.current
	c.current = to
	return was != to
}
