package fleet

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/statefleet/statefleet/shard"
)

// Member is the replica that a [Coordinator] controls. Its methods do not wait.
type Member interface {
	// Follow makes the replica move to a plan. The replica serves the plan's shards as soon as it
	// holds them, and never before. It holds the shards of the target table without serving them.
	Follow(p shard.Plan)
	// Holds returns how much of a plan the replica holds. The implementation calls
	// [Coordinator.HoldsChanged] when the result may have changed.
	Holds(p shard.Plan) shard.Held
}

// Coordinator moves one replica of a fleet in step with the others. There is no leader: all
// replicas read and write one ConfigMap beside the StatefulSet, named <statefulset>-topology. Each
// replica reports under its own key that it holds its part of the next table. Any replica writes
// the next topology when it is due. Each replica switches by its own clock at the time that the
// topology names, or when it reads that another has switched. So clocks that differ cost no more
// than the delay of a watch.
//
// The ConfigMap must exist, empty at first. If it is missing or RBAC denies access, the replica
// follows the StatefulSet alone, without waiting for others, until it can coordinate again.
//
// RBAC, in the pod's namespace: list and watch on the StatefulSet (a rule with its resourceNames
// suffices); get, list, watch, update and patch on the ConfigMap; get, list and watch on pods. Without
// get, the name of the StatefulSet follows from that of the pod. Without list and watch, [Overview] does
// not know the state of pods, and there is no standby.
//
// The exported fields must not change after Run was called.
type Coordinator struct {
	// Member is the replica to control. Required.
	Member Member
	// Client reads and writes the fleet's objects. Required.
	Client *Client
	// Namespace of the Client, for messages (--pod-namespace). Required.
	Namespace string
	// Pod is the pod's name, ending in its ordinal (--pod). Required.
	Pod string
	// Standby makes each replica hold its neighbour's shard as well (--shard.standby).
	Standby bool
	// Logger receives one message per change of what was found or what fails. Default: no log.
	Logger *slog.Logger
	// Backoff is the delay between attempts while the API server is unavailable. Default, if
	// Duration is 0: from 0.5 s doubling to 30 s, with jitter. Tests shorten it.
	Backoff wait.Backoff

	status       atomic.Pointer[Status]
	loop         atomic.Pointer[loop] // nil until the StatefulSet was found
	stopBy       atomic.Pointer[time.Time]
	coordination loggedState // why the fleet is not coordinated, for the log
}

// HoldsChanged tells the coordinator that the result of Member.Holds may have changed. It does not
// wait. It is safe for concurrent use.
func (c *Coordinator) HoldsChanged() {
	if l := c.loop.Load(); l != nil {
		notify(l.changed)
	}
}

// Run coordinates until ctx ends, then returns nil. While the API server is unavailable, or the
// StatefulSet is missing or has an unusable number of replicas, the last assignment stays valid. An
// error is returned only for a state that waiting cannot change: a missing field, a pod name
// without an ordinal, a pod that something other than a StatefulSet controls.
func (c *Coordinator) Run(ctx context.Context) error {
	stem, err := c.identity()
	if err != nil {
		return err
	}

	name, self, err := c.findStatefulSet(ctx, stem)
	if err != nil || name == "" {
		return err
	}
	l := c.newLoop(name, self)
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() { l.sets.Run(ctx) })
	running.Go(func() { l.store.Run(ctx) })
	running.Go(func() { l.trackPods(ctx) })
	c.loop.Store(l)
	l.run(ctx)
	return nil
}

// newLoop returns the loop of the replica in a pod. self is nil if this process may not read its
// pod.
func (c *Coordinator) newLoop(name string, self *corev1.Pod) *loop {
	l := &loop{
		Coordinator: c,
		name:        name,
		log:         c.log().With("configmap", name+"-topology"),
		planner:     planner{incarnation: strconv.FormatUint(rand.Uint64(), 36)},
		changed:     make(chan struct{}, 1),
		written:     make(chan error, 1),
		selected:    make(chan struct{}, 1),
	}
	l.store = l.newTopologyStore(name + "-topology")
	l.sets = c.newStatefulSetWatcher(name, l.onDesiredState)
	if self != nil {
		l.planner.pod, l.planner.oomKilled = self.UID, recentlyOOMKilled(self, time.Now())
	}
	l.podTracker = l.newPodTracker()
	return l
}
