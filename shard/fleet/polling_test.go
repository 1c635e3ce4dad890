package fleet

import (
	"sync/atomic"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	k8stesting "k8s.io/client-go/testing"

	"github.com/statefleet/statefleet/internal/testing/faketime"
	"github.com/statefleet/statefleet/shard"
)

// countingMember counts the calls of Holds. The loop makes one per step.
type countingMember struct {
	fakeMember
	calls atomic.Int64
}

func (c *countingMember) Holds(p shard.Plan) shard.Held {
	c.calls.Add(1)
	return c.fakeMember.Holds(p)
}

// startCounted starts a replica with a countingMember.
func (f *testFleet) startCounted(ordinal int) (*testReplica, *countingMember) {
	member := new(countingMember)
	member.hold()
	g := f.startMember(ordinal, false, member)
	return g, member
}

// requests counts the fleet's requests to the API server during d.
func (f *testFleet) requests(d time.Duration) map[string]int {
	f.client.ClearActions()
	time.Sleep(d)
	count := map[string]int{}
	for _, a := range f.client.Actions() {
		count[a.GetVerb()+" "+a.GetResource().Resource]++
	}
	return count
}

// A replica steps when something has changed. It rarely reads the two objects without its watches.
func TestReplicaAtRestDoesNotPoll(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		f := newTestFleet(t, 1, configMapWith(topology{Generation: 4, Active: 1, Set: "set", Revision: 1}))
		_, member := f.startCounted(0)
		time.Sleep(time.Minute)
		member.calls.Store(0)
		got := f.requests(time.Hour)
		if n := member.calls.Load(); n > 10*60 {
			t.Errorf("%d steps in an hour, want at most %d", n, 10*60)
		}
		if got["get configmaps"] > 121 || got["get configmaps"] < 110 || got["list statefulsets"] > 13 || got["list statefulsets"] < 11 ||
			got["list pods"] > 13 || got["watch pods"] > 13 || len(got) > 5 {
			t.Errorf("got too many or too few requests in an hour: %v", got)
		}
	})
}

// The topology ConfigMap is missing or forbidden.
func TestUncoordinatedReplicaDoesNotPoll(t *testing.T) {
	forbidden := apierrors.NewForbidden(configMaps.GroupResource(), "fleet-topology", nil)
	for name, prepare := range map[string]func(f *testFleet){
		"no ConfigMap": func(*testFleet) {},
		"reading it is denied": func(f *testFleet) {
			f.client.PrependReactor("list", "configmaps", func(k8stesting.Action) (bool, runtime.Object, error) { return true, nil, forbidden })
		},
		"reading it and the pods is denied": func(f *testFleet) {
			f.client.PrependReactor("list", "*", func(a k8stesting.Action) (bool, runtime.Object, error) {
				return a.GetResource().Resource != "statefulsets", nil, forbidden
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			faketime.Test(t, func(t *testing.T) {
				f := newTestFleet(t, 2)
				f.backoff = 20 * time.Second // a denial makes it step
				prepare(f)
				member := new(countingMember)
				member.hold()
				f.startMember(0, true, member)
				time.Sleep(time.Minute)
				member.calls.Store(0)
				time.Sleep(5 * time.Minute)
				if n := member.calls.Load(); n > 10*5 {
					t.Errorf("%d steps in five minutes, want at most %d", n, 10*5)
				}
			})
		})
	}
}

// The fleet grows from 3 to 5, but the new pods cannot be scheduled.
func TestWaitingTransitionBacksOff(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		f := newTestFleet(t, 3, configMapWith(topology{Generation: 4, Active: 3, Set: "set", Revision: 1}))
		f.startAll(3)
		time.Sleep(time.Minute)
		f.scale(5)
		time.Sleep(time.Minute)
		if now := f.topology(); now.Target != 5 {
			t.Fatalf("got topology %v, want target 5", now)
		}
		if got := f.requests(10 * time.Minute); got["get configmaps"] > 3*21 || got["get configmaps"] < 3*15 {
			t.Errorf("got too many or too few requests of three replicas in ten minutes: %v", got)
		}
	})
}

// The topology follows from a revision of the StatefulSet that the API server does not have.
func TestStaleReplicaBacksOff(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		f := newTestFleet(t, 3, configMapWith(topology{Generation: 4, Active: 3, Set: "set", Revision: 9}))
		f.client.PrependReactor("list", "statefulsets", failAfter(1))
		f.backoff = 20 * time.Second
		f.startReplica(0)
		time.Sleep(time.Minute)
		if got := f.requests(10 * time.Minute); got["list statefulsets"] > 70 {
			t.Errorf("got too many requests in ten minutes: %v", got)
		}
	})
}

// failAfter fails all requests but the first n.
func failAfter(n int64) k8stesting.ReactionFunc {
	var seen atomic.Int64
	return func(k8stesting.Action) (bool, runtime.Object, error) {
		return seen.Add(1) > n, nil, errAway
	}
}
