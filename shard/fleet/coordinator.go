package fleet

import (
	"context"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/statefleet/statefleet/shard"
)

// Member is the replica that a [Coordinator] tells what to serve. Its methods do not wait.
type Member interface {
	// Follow makes it move to a plan. A replica moves to what the plan serves as soon as it holds that, never
	// before; what the plan changes to is held and not served.
	Follow(p shard.Plan)
	// Holds says how much it holds of what the plan asks for. Whoever implements it calls [Coordinator.HoldsChanged] when
	// the answer may be another one.
	Holds(p shard.Plan) shard.Held
}

// Coordinator moves one replica of a fleet in step with the others. There is no leader: each replica reads and
// writes one ConfigMap beside the StatefulSet, named <statefulset>-topology. Every replica reports there, under
// a key of its own, that it holds what is being prepared; any replica writes the next [Topology] when it is
// time; and each changes over by its own clock at the instant that the topology names, or when it sees that
// another has, so that clocks which differ cost no more than the delay of a watch.
//
// The object must exist, empty at first. When it does not, or RBAC recordForbidden it, the replica goes by the
// StatefulSet alone, as soon as it holds what it must serve, until that is mended.
//
// RBAC, in the pod's namespace: what [Discovery] needs, and get, list, watch, update and patch on that ConfigMap.
type Coordinator struct {
	Discovery
	// Member is the replica. Required.
	Member Member

	status       atomic.Pointer[Status]
	loop         atomic.Pointer[loop] // nil until the StatefulSet is found
	stopBy       atomic.Pointer[time.Time]
	coordination loggedState // why the fleet is not coordinated, for the log
}

// HoldsChanged tells that the Member may hold something else than before. It does not wait and may be called at any time
// by any goroutine.
func (c *Coordinator) HoldsChanged() {
	if l := c.loop.Load(); l != nil {
		notify(l.changed)
	}
}

// Run coordinates until ctx ends, then returns nil. Errors are those of [Discovery.Run].
func (c *Coordinator) Run(ctx context.Context) error {
	stem, err := c.identity()
	if err != nil {
		return err
	}

	name, self, err := c.findStatefulSet(ctx, stem, c.log())
	if err != nil || name == "" {
		return err
	}
	l := c.newLoop(name, self)
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() { l.watchStatefulSet(ctx) })
	running.Go(func() { l.store.run(ctx, c.backoff()) })
	if l.podTracker != nil {
		running.Go(func() { l.trackPods(ctx) })
	}
	c.loop.Store(l) // whole
	l.run(ctx)
	return nil
}

// newLoop makes the loop of the replica in a pod, which is nil when it may not be read.
func (c *Coordinator) newLoop(name string, self *corev1.Pod) *loop {
	log := c.log().With("configmap", name+"-topology")
	changed := make(chan struct{}, 1)
	l := &loop{
		Coordinator: c,
		name:        name,
		log:         log,
		planner:     planner{incarnation: strconv.FormatUint(rand.Uint64(), 36)},
		changed:     changed,
		written:     make(chan error, 1),
		selected:    make(chan struct{}, 1),
		relist:      make(chan struct{}, 1),
		store: &topologyStore{
			name:    name + "-topology",
			api:     c.Client.CoreV1().ConfigMaps(c.Namespace),
			lists:   errorLogger{log: log, action: "list the fleet's topology"},
			watches: errorLogger{log: log, action: "watch the fleet's topology"},
			changed: changed,
			relist:  make(chan struct{}, 1),
		},
	}
	if self != nil {
		l.planner.pod, l.planner.oomKilled = self.UID, recentlyOOMKilled(self, time.Now())
	}
	if c.Standby {
		l.podTracker = &podTracker{
			set:     name,
			api:     c.Client.CoreV1().Pods(c.Namespace),
			lists:   errorLogger{log: log, action: "list the fleet's pods"},
			watches: errorLogger{log: log, action: "watch the fleet's pods"},
			changed: changed,
			log:     log,
		}
	}
	return l
}
