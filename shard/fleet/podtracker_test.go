package fleet

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	k8stesting "k8s.io/client-go/testing"

	"github.com/statefleet/statefleet/internal/testing/faketime"
	"github.com/statefleet/statefleet/shard"
)

var podResource = corev1.SchemeGroupVersion.WithResource("pods")

// fleetPod returns a pod of the fleet as the API server has it. leaving is whether it is being deleted.
func fleetPod(name string, ready, leaving bool) *corev1.Pod {
	p := pod(name, owner("apps/v1", "StatefulSet", "fleet"))
	condition := corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionFalse}
	if ready {
		condition.Status = corev1.ConditionTrue
	}
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionTrue}, condition}
	if leaving {
		p.DeletionTimestamp, p.Finalizers = &metav1.Time{Time: noon}, []string{"test"}
	}
	return p
}

// becomes changes a pod and waits until the replica has the wanted plan.
func (f *testFleet) becomes(g *testReplica, next *corev1.Pod, want shard.Plan) {
	f.t.Helper()
	if err := f.client.Tracker().Update(podResource, next, namespace); err != nil {
		f.t.Fatal(err)
	}
	g.waitPlan(f.t, want)
}

func TestReplicaServesForANeighbourThatIsNotReady(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		f := newTestFleet(t, 3, configMapWith(topology{Generation: 1, Active: 3, Set: "set", Revision: 1}),
			fleetPod("fleet-0", true, false), fleetPod("fleet-1", true, false), fleetPod("fleet-2", true, false),
			fleetPod("fleet-01", false, false), fleetPod("other-0", false, false), fleetPod("fleet-x-0", false, false))
		g := f.startStandby(1)
		rest := shard.Plan{Ordinal: 1, Active: 3, Target: 3, Standby: true}
		servesNeighbour, servedByStandby := rest, rest
		servesNeighbour.ServesNeighbour, servedByStandby.ServedByStandby = true, true
		g.waitPlan(t, rest)
		f.becomes(g, fleetPod("fleet-0", false, false), servesNeighbour)
		if s := g.Status(); !s.Standby || !s.ServesNeighbour || s.ServedByStandby {
			t.Errorf("got status %+v, want a replica that serves its neighbour", s)
		}
		f.becomes(g, fleetPod("fleet-0", true, false), rest)
		f.becomes(g, fleetPod("fleet-0", true, true), servesNeighbour)
		f.becomes(g, fleetPod("fleet-0", true, false), rest)
		f.becomes(g, fleetPod("fleet-1", false, false), servedByStandby)
		f.becomes(g, fleetPod("fleet-2", false, false), rest) // no other replica can serve the shard
		f.becomes(g, fleetPod("fleet-2", true, false), servedByStandby)
		f.becomes(g, fleetPod("fleet-1", true, false), rest)
	})
}

func TestStandbyIsOffWhenPodsAreForbidden(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		f := newTestFleet(t, 2, emptyConfigMap())
		var allowed atomic.Bool
		f.client.PrependReactor("list", "pods", func(k8stesting.Action) (bool, runtime.Object, error) {
			return !allowed.Load(), nil, apierrors.NewForbidden(podResource.GroupResource(), "", nil)
		})
		r := f.startStandby(0).await().podTracker
		if all, denied := r.read(); all != nil || denied {
			t.Errorf("got peers %v, denied %t at once, want neither: an API server that starts denies everything", all, denied)
		}
		time.Sleep(deniedGrace + time.Second)
		if all, denied := r.read(); all != nil || !denied {
			t.Errorf("got peers %v, denied %t after the grace period, want a permanent denial", all, denied)
		}
		allowed.Store(true)
		time.Sleep(2 * time.Second)
		if all, denied := r.read(); all == nil || denied {
			t.Error("denied although reads are allowed again")
		}
	})
}

func TestForbiddenPodsAreLoggedOnce(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		f := newTestFleet(t, 2, emptyConfigMap())
		f.client.PrependReactor("list", "pods", func(k8stesting.Action) (bool, runtime.Object, error) {
			return true, nil, apierrors.NewForbidden(podResource.GroupResource(), "", nil)
		})
		g := f.startStandby(0)
		until(t, "a line in the log", func() bool { return strings.Contains(g.log.String(), "cannot list the fleet's pods") })
		time.Sleep(10 * time.Minute) // hundreds of attempts
		if n := strings.Count(g.log.String(), "cannot list the fleet's pods"); n != 1 {
			t.Errorf("logged %d times, want once", n)
		}
	})
}

func TestPodThatWasNeverReadyIsRecognised(t *testing.T) {
	container := func(started time.Duration, restarts int32) corev1.ContainerStatus {
		return corev1.ContainerStatus{RestartCount: restarts, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(noon.Add(started))}}}
	}
	waiting := corev1.ContainerStatus{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{}}}
	for name, c := range map[string]struct {
		ready      corev1.ConditionStatus // of the pod, since noon
		containers []corev1.ContainerStatus
		neverReady bool
	}{
		"first start":             {corev1.ConditionFalse, []corev1.ContainerStatus{container(time.Second, 0), container(0, 0)}, true},
		"ready":                   {corev1.ConditionTrue, []corev1.ContainerStatus{container(-time.Minute, 0)}, false},
		"was ready":               {corev1.ConditionFalse, []corev1.ContainerStatus{container(-time.Minute, 0)}, false},
		"node is lost":            {corev1.ConditionUnknown, []corev1.ContainerStatus{container(time.Second, 0)}, false},
		"container was restarted": {corev1.ConditionFalse, []corev1.ContainerStatus{container(time.Second, 1)}, false},
		"a container waits":       {corev1.ConditionFalse, []corev1.ContainerStatus{container(time.Second, 0), waiting}, false},
		"no container started":    {corev1.ConditionFalse, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			got := peerOf(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: "u"}, Status: corev1.PodStatus{ContainerStatuses: c.containers,
				Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: c.ready, LastTransitionTime: metav1.NewTime(noon)}}}})
			if want := (peer{uid: "u", ready: c.ready == corev1.ConditionTrue, neverReady: c.neverReady}); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

func TestPodsAreKnownByTheirNumbers(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		f := newTestFleet(t, 2, emptyConfigMap(), fleetPod("fleet-5", true, false), fleetPod("fleet-6", false, false), fleetPod("other-7", true, false))
		r := f.startStandby(0).await().podTracker
		if err := f.client.Tracker().Delete(podResource, namespace, "fleet-6"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
		if all, _ := r.read(); len(all) != 1 || !all[5].ready {
			t.Errorf("got peers %v, want only 5, which is ready", all)
		}
	})
}

// A StatefulSet was recreated with another selector.
func TestPodsOfANewSelectorAreTracked(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		f := newTestFleet(t, 2, emptyConfigMap())
		f.startStandby(0).await()
		for _, app := range []string{"old", "old", "new"} {
			next := f.replicas(2).(*appsv1.StatefulSet)
			next.Spec.Selector = metav1.SetAsLabelSelector(map[string]string{"app": app})
			if err := f.client.Tracker().Update(statefulSets, next, namespace); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		var selectors []string
		for _, a := range f.client.Actions() {
			if list, ok := a.(k8stesting.ListAction); ok && a.GetResource() == podResource {
				selectors = append(selectors, list.GetListRestrictions().Labels.String())
			}
		}
		if want := []string{"", "app=old", "app=new"}; !slices.Equal(selectors, want) {
			t.Errorf("pods were listed with the selectors %q, want %q", selectors, want)
		}
	})
}

func TestOverviewHasTheReasonForWhichAPodDoesNotRun(t *testing.T) {
	pending := corev1.PodStatus{Phase: corev1.PodPending}
	unschedulable, pulling, crashing := pending, pending, corev1.PodStatus{Phase: corev1.PodRunning}
	unschedulable.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "0/2 nodes are available."}}
	waiting := func(reason string) []corev1.ContainerStatus {
		return []corev1.ContainerStatus{{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}}}}
	}
	pulling.ContainerStatuses, crashing.ContainerStatuses = waiting("ImagePullBackOff"), waiting("CrashLoopBackOff")
	for _, c := range []struct {
		status corev1.PodStatus
		state  PodState
		reason string
	}{
		{pending, podPending, ""},
		{unschedulable, podPending, "Unschedulable: 0/2 nodes are available."},
		{pulling, podPending, "ImagePullBackOff"},
		{crashing, podUnready, "CrashLoopBackOff"},
	} {
		o := Overview{Status: Status{Active: 1}}
		o.addReplicas(observation{peers: peers{0: peerOf(&corev1.Pod{Status: c.status})}})
		if r := o.Replicas[0]; r.State != c.state || r.Reason != c.reason {
			t.Errorf("got %s, %q, want %s, %q", r.State, r.Reason, c.state, c.reason)
		}
	}
}
