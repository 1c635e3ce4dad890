package fleet

import (
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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

// TestReplicaThatIsAloneDoesNotPoll: there is no topology ConfigMap, or it may not be read.
func TestReplicaThatIsAloneDoesNotPoll(t *testing.T) {
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

// TestChangeThatWaitsBacksOff: 3 to 5, while the new replicas cannot be scheduled.
func TestChangeThatWaitsBacksOff(t *testing.T) {
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

// TestReplicaThatIsBehindBacksOff: others have decided by a StatefulSet that the API server does not have.
func TestReplicaThatIsBehindBacksOff(t *testing.T) {
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

// TestEachVersionOfTheTopologyIsParsedOnce: what was parsed is handed out until the object changes.
func TestEachVersionOfTheTopologyIsParsedOnce(t *testing.T) {
	s := &topologyStore{name: "fleet-topology", changed: make(chan struct{}, 1)}
	object := configMapWith(topology{Generation: 4, Active: 3})
	object.Data[reportKey(1)] = `{"holds":true}`
	s.put(object)
	first := s.read()
	first.reports[77] = replicaReport{} // a mark
	if _, marked := s.read().reports[77]; !marked {
		t.Error("the same version was parsed twice")
	}
	next := object.DeepCopy()
	next.ResourceVersion = "2"
	s.put(next)
	if _, marked := s.read().reports[77]; marked {
		t.Error("another version was not parsed")
	}
}

// TestAContainerThatWasKilledIsTold: by the reason that its status names, or by the signal.
func TestAContainerThatWasKilledIsTold(t *testing.T) {
	ended := func(reason string, code int32, ago time.Duration) *corev1.ContainerStateTerminated {
		return &corev1.ContainerStateTerminated{Reason: reason, ExitCode: code, FinishedAt: metav1.NewTime(noon.Add(-ago))}
	}
	for name, c := range map[string]struct {
		status corev1.ContainerStatus
		want   bool
	}{
		"it runs for the first time": {corev1.ContainerStatus{}, false},
		"it was out of memory":       {corev1.ContainerStatus{LastTerminationState: corev1.ContainerState{Terminated: ended("OOMKilled", 137, time.Minute)}}, true},
		"a child was":                {corev1.ContainerStatus{LastTerminationState: corev1.ContainerState{Terminated: ended("OOMKilled", 1, time.Minute)}}, true},
		"it was killed":              {corev1.ContainerStatus{LastTerminationState: corev1.ContainerState{Terminated: ended("Error", 137, 5*time.Minute)}}, true},
		"its status is not new yet":  {corev1.ContainerStatus{State: corev1.ContainerState{Terminated: ended("OOMKilled", 137, time.Second)}}, true},
		"it has failed":              {corev1.ContainerStatus{LastTerminationState: corev1.ContainerState{Terminated: ended("Error", 1, time.Minute)}}, false},
		"that was long ago":          {corev1.ContainerStatus{LastTerminationState: corev1.ContainerState{Terminated: ended("OOMKilled", 137, time.Hour)}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := recentlyOOMKilled(&corev1.Pod{Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{c.status}}}, noon); got != c.want {
				t.Errorf("got %t", got)
			}
		})
	}
}

func TestMembersWithoutThoseWhoLeave(t *testing.T) {
	for _, c := range []struct {
		all    members
		leaves []int
		want   members
	}{
		{members{0, 5}, nil, members{0, 5}},
		{members{0, 5}, []int{2, 3, 4}, members{0, 2}},
		{members{0, 5}, []int{4}, members{0, 4}},
		{members{0, 5}, []int{0}, members{1, 4}},
		{members{2, 4}, []int{2, 3}, members{4, 2}},
		{members{0, 7}, []int{2}, members{0, 2}},
		{members{0, 4}, []int{1, 2}, members{0, 1}},
		{members{0, 2}, []int{0, 1}, members{0, 2}},
		{members{0, 2}, []int{7}, members{0, 2}},
	} {
		got := c.all.without(func(number int) bool {
			for _, n := range c.leaves {
				if n == number {
					return true
				}
			}
			return false
		})
		if got != c.want {
			t.Errorf("%+v without %v: %+v, want %+v", c.all, c.leaves, got, c.want)
		}
	}
}
