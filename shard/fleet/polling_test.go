package fleet

import (
	"sync/atomic"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	k8stesting "k8s.io/client-go/testing"

	"github.com/statefleet/statefleet/internal/faketime"
	"github.com/statefleet/statefleet/shard"
)

// counted counts how often its replica asks what is held: once each time that it looks at the fleet.
type countingMember struct {
	fakeMember
	asked atomic.Int64
}

func (c *countingMember) Holds(p shard.Plan) shard.Held {
	c.asked.Add(1)
	return c.fakeMember.Holds(p)
}

// startCounted starts a replica that counts.
func (p *testFleet) startCounted(ordinal int) (*testReplica, *countingMember) {
	member := new(countingMember)
	member.hold()
	g := p.startMember(ordinal, false, member)
	return g, member
}

// requests counts what the fleet asks of the API server while time goes by.
func (p *testFleet) requests(d time.Duration) map[string]int {
	p.client.ClearActions()
	time.Sleep(d)
	count := map[string]int{}
	for _, a := range p.client.Actions() {
		count[a.GetVerb()+" "+a.GetResource().Resource]++
	}
	return count
}

// TestReplicaAtRestDoesNotPoll: it looks at the fleet when something has changed, and now and then whether its watches
// still bring what there is.
func TestReplicaAtRestDoesNotPoll(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		p := newTestFleet(t, 1, configMapWith(topology{Generation: 4, Active: 1, Set: "set", Revision: 1}))
		_, member := p.startCounted(0)
		time.Sleep(time.Minute)
		member.asked.Store(0)
		got := p.requests(time.Hour)
		if n := member.asked.Load(); n > 10*60 {
			t.Errorf("it looked at the fleet %d times in an hour", n)
		}
		if got["get configmaps"] > 121 || got["get configmaps"] < 110 || got["list statefulsets"] > 13 || got["list statefulsets"] < 11 || len(got) > 3 {
			t.Errorf("requests of an hour: %v", got)
		}
	})
}

// TestUncoordinatedReplicaDoesNotPoll: there is no topology ConfigMap, or it may not be read.
func TestUncoordinatedReplicaDoesNotPoll(t *testing.T) {
	forbidden := apierrors.NewForbidden(configMaps.GroupResource(), "fleet-topology", nil)
	for name, prepare := range map[string]func(p *testFleet){
		"no ConfigMap": func(*testFleet) {},
		"it may not be read": func(p *testFleet) {
			p.client.PrependReactor("list", "configmaps", func(k8stesting.Action) (bool, runtime.Object, error) { return true, nil, forbidden })
		},
		"nor may the pods": func(p *testFleet) {
			p.client.PrependReactor("list", "*", func(a k8stesting.Action) (bool, runtime.Object, error) {
				return a.GetResource().Resource != "statefulsets", nil, forbidden
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			faketime.Test(t, func(t *testing.T) {
				p := newTestFleet(t, 2)
				prepare(p)
				member := new(countingMember)
				member.hold()
				p.startMember(0, true, member)
				time.Sleep(time.Minute)
				member.asked.Store(0)
				time.Sleep(5 * time.Minute)
				if n := member.asked.Load(); n > 10*5 {
					t.Errorf("it looked at the fleet %d times in five minutes", n)
				}
			})
		})
	}
}

// TestWaitingTransitionBacksOff: 3 to 5, while the new replicas cannot be scheduled.
func TestWaitingTransitionBacksOff(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		p := newTestFleet(t, 3, configMapWith(topology{Generation: 4, Active: 3, Set: "set", Revision: 1}))
		p.startAll(3)
		time.Sleep(time.Minute)
		p.scale(5)
		time.Sleep(time.Minute)
		if now := p.topology(); now.Target != 5 {
			t.Fatalf("the topology is %v", now)
		}
		if got := p.requests(10 * time.Minute); got["get configmaps"] > 3*21 || got["get configmaps"] < 3*15 {
			t.Errorf("requests of three replicas in ten minutes: %v", got)
		}
	})
}

// TestStaleReplicaBacksOff: others have decided by a StatefulSet that the API server does not have.
func TestStaleReplicaBacksOff(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		p := newTestFleet(t, 3, configMapWith(topology{Generation: 4, Active: 3, Set: "set", Revision: 9}))
		p.client.PrependReactor("list", "statefulsets", failAfter(1))
		p.backoff = 20 * time.Second
		p.startReplica(0)
		time.Sleep(time.Minute)
		if got := p.requests(10 * time.Minute); got["list statefulsets"] > 70 {
			t.Errorf("requests in ten minutes: %v", got)
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
