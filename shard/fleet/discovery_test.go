package fleet

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"

	"github.com/statefleet/statefleet/internal/testing/faketime"
	"github.com/statefleet/statefleet/shard"
)

func TestAssignmentFollowsReplicas(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		r := start(t, "fleet-1", pod("fleet-1", owner("apps/v1", "StatefulSet", "fleet")), set("fleet", 3), set("other", 9))
		r.want(1, 3)
		r.update(set("other", 10))
		r.update(set("fleet", 5))
		r.want(1, 5)
		r.update(set("fleet", 2))
		r.want(1, 2)
	})
}

func TestOnlyTheOwningStatefulSetIsRequested(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		r := start(t, "fleet-0", set("fleet", 1))
		r.want(0, 1)
		r.stop()
		lists, watches := 0, 0
		for _, action := range r.client.Actions() {
			var restrictions string
			switch a := action.(type) {
			case k8stesting.ListAction:
				lists++
				restrictions = a.GetListRestrictions().Fields.String()
				if !a.GetListRestrictions().Labels.Empty() {
					t.Errorf("got a list with the label selector %v, want none", a.GetListRestrictions().Labels)
				}
			case k8stesting.WatchAction:
				watches++
				restrictions = a.GetWatchRestrictions().Fields.String()
			default:
				continue
			}
			if restrictions != "metadata.name=fleet" || action.GetNamespace() != namespace {
				t.Errorf("got %s in namespace %q with field selector %q, want only fleet", action.GetVerb(), action.GetNamespace(), restrictions)
			}
		}
		if lists == 0 || watches == 0 {
			t.Errorf("got %d lists and %d watches, want some of both", lists, watches)
		}
	})
}

func TestLabelsOfTheStatefulSetAreIgnored(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		r := start(t, "fleet-1", pod("fleet-1", owner("apps/v1", "StatefulSet", "fleet")), set("fleet", 3))
		r.want(1, 3)
		relabelled := set("fleet", 3)
		relabelled.Labels = map[string]string{"app": "renamed"}
		r.update(relabelled)
		relabelled = relabelled.DeepCopy()
		relabelled.Spec.Replicas = new(int32(4))
		r.update(relabelled)
		r.want(1, 4) // the change of labels alone delivered nothing
	})
}

func TestStatefulSetIsFoundWithoutTheOwner(t *testing.T) {
	forbidden := func(k8stesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "fleet-2", errors.New("no rule"))
	}
	for name, c := range map[string]struct {
		objects []runtime.Object
		react   k8stesting.ReactionFunc
	}{
		"pod without owner": {objects: []runtime.Object{pod("fleet-2", nil)}},
		"pod not found":     {},
		"pod get forbidden": {react: forbidden},
	} {
		t.Run(name, func(t *testing.T) {
			faketime.Test(t, func(t *testing.T) {
				r := prepare(t, "fleet-2", append(c.objects, set("fleet", 3))...)
				if c.react != nil {
					r.client.PrependReactor("get", "pods", c.react)
				}
				r.run()
				r.want(2, 3)
			})
		})
	}
}

func TestOwnerNamesTheStatefulSet(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		r := start(t, "fleet-2", pod("fleet-2", owner("apps/v1", "StatefulSet", "owner")), set("fleet", 9), set("owner", 3))
		r.want(2, 3)
	})
}

func TestUnsetReplicasMeansOne(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		unset := set("fleet", 0)
		unset.Spec.Replicas = nil
		r := start(t, "fleet-0", unset)
		r.want(0, 1)
	})
}

func TestOrdinalsStartIsSubtracted(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		shifted := set("fleet", 3)
		shifted.Spec.Ordinals = &appsv1.StatefulSetOrdinals{Start: 5}
		r := start(t, "fleet-6", shifted)
		r.want(1, 3)
		shifted = shifted.DeepCopy()
		shifted.Spec.Ordinals.Start = 7
		r.update(shifted)
		r.want(-1, 3)
	})
}

func TestSurplusOrdinalIsDelivered(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		r := start(t, "fleet-4", set("fleet", 2))
		got := r.want(4, 2)
		if len(got.Ranges()) != 0 {
			t.Errorf("%v owns %v, want nothing", got, got.Ranges())
		}
	})
}

func TestLastAssignmentStaysWhenTheStatefulSetIsUnusable(t *testing.T) {
	for name, disturb := range map[string]func(*rig){
		"deleted":     func(r *rig) { r.delete("fleet") },
		"scaled to 0": func(r *rig) { r.update(set("fleet", 0)) },
		"too large":   func(r *rig) { r.update(set("fleet", shard.MaxTotal+1)) },
	} {
		t.Run(name, func(t *testing.T) {
			faketime.Test(t, func(t *testing.T) {
				r := start(t, "fleet-1", set("fleet", 3))
				r.want(1, 3)
				disturb(r)
				r.logged("keeping the assignment")
				if name == "deleted" {
					r.create(set("fleet", 3))
					r.logged("the assignment is unchanged")
				}
				r.update(set("fleet", 4))
				r.want(1, 4) // the disturbance delivered nothing
			})
		})
	}
}

func TestReplicaWaitsForAMissingStatefulSet(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		r := start(t, "fleet-1")
		r.logged("StatefulSet does not exist; waiting")
		r.create(set("fleet", 2))
		r.want(1, 2)
	})
}

func TestFailingRequestsAreRetriedAndLoggedOnce(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		r := prepare(t, "fleet-1", pod("fleet-1", owner("apps/v1", "StatefulSet", "fleet")), set("fleet", 3))
		pods := r.failFirst("get", "pods", 5)
		lists := r.failFirst("list", "statefulsets", 5)
		watches := r.failFirst("watch", "statefulsets", 5)
		r.run()
		r.want(1, 3)
		time.Sleep(time.Second) // until the watch works
		r.update(set("fleet", 4))
		r.want(1, 4)
		for name, left := range map[string]int32{"pods": pods.Load(), "lists": lists.Load(), "watches": watches.Load()} {
			if left > 0 {
				t.Errorf("%s: %d of 5 requests did not fail", name, left)
			}
		}
		for _, action := range []string{"read the pod", "list the StatefulSet", "watch the StatefulSet"} {
			r.logged("cannot " + action + "; retrying")
			r.logged("can " + action + " again")
		}
	})
}

func TestExpiredWatchListsAgain(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		r := prepare(t, "fleet-1", set("fleet", 3))
		broken := watch.NewRaceFreeFake()
		first := true
		r.client.PrependWatchReactor("statefulsets", func(k8stesting.Action) (bool, watch.Interface, error) {
			if first {
				first = false
				return true, broken, nil
			}
			return false, nil, nil
		})
		r.run()
		r.want(1, 3)
		if err := r.client.Tracker().Update(statefulSets, set("fleet", 6), namespace); err != nil {
			t.Fatal(err)
		}
		expired := apierrors.NewResourceExpired("too old").Status()
		broken.Error(&expired)
		r.want(1, 6)
	})
}

func TestErrorsThatWaitingCannotFixAreReturned(t *testing.T) {
	client := clientOf(fake.NewClientset(pod("fleet-7d9f8b-12345", owner("apps/v1", "ReplicaSet", "fleet-7d9f8b")),
		pod("fleet-1", owner("apps.kruise.io/v1beta1", "StatefulSet", "fleet"))))
	for _, c := range []struct {
		coordinator *Coordinator
		want        []string
	}{
		{&Coordinator{Namespace: namespace, Pod: "fleet-0"}, []string{"client"}},
		{&Coordinator{Client: client, Pod: "fleet-0"}, []string{"--pod-namespace"}},
		{&Coordinator{Client: client, Namespace: namespace}, []string{"--pod"}},
		{&Coordinator{Client: client, Namespace: namespace, Pod: "fleet"}, []string{"--pod", `"fleet"`}},
		{&Coordinator{Client: client, Namespace: namespace, Pod: "fleet-7d9f8b-12345"}, []string{"--pod", "ReplicaSet", "--total-shards"}},
		{&Coordinator{Client: client, Namespace: namespace, Pod: "fleet-1"}, []string{"--pod", "apps.kruise.io/v1beta1", "--total-shards"}},
	} {
		err := c.coordinator.run(t.Context(), func(a desiredState) { t.Errorf("delivered %v", a) })
		if err == nil || slices.ContainsFunc(c.want, func(s string) bool { return !strings.Contains(err.Error(), s) }) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
}

func TestDiscoveryEndsWithItsContext(t *testing.T) {
	client := fake.NewClientset()
	client.PrependReactor("get", "pods", func(k8stesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewServiceUnavailable("away")
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := Coordinator{Client: clientOf(client), Namespace: namespace, Pod: "fleet-0"}
	if err := c.run(ctx, func(desiredState) {}); err != nil {
		t.Errorf("run returned %v, want nil", err)
	}
}

// The reason or the signal in the container's status shows that it was killed for lack of memory.
func TestOOMKilledContainerIsRecognised(t *testing.T) {
	ended := func(reason string, code int32, ago time.Duration) *corev1.ContainerStateTerminated {
		return &corev1.ContainerStateTerminated{Reason: reason, ExitCode: code, FinishedAt: metav1.NewTime(noon.Add(-ago))}
	}
	for name, c := range map[string]struct {
		status corev1.ContainerStatus
		want   bool
	}{
		"first run":                   {corev1.ContainerStatus{}, false},
		"main process out of memory":  {corev1.ContainerStatus{LastTerminationState: corev1.ContainerState{Terminated: ended("OOMKilled", 137, time.Minute)}}, true},
		"child process out of memory": {corev1.ContainerStatus{LastTerminationState: corev1.ContainerState{Terminated: ended("OOMKilled", 1, time.Minute)}}, true},
		"killed by a signal":          {corev1.ContainerStatus{LastTerminationState: corev1.ContainerState{Terminated: ended("Error", 137, 5*time.Minute)}}, true},
		"not restarted yet":           {corev1.ContainerStatus{State: corev1.ContainerState{Terminated: ended("OOMKilled", 137, time.Second)}}, true},
		"failed":                      {corev1.ContainerStatus{LastTerminationState: corev1.ContainerState{Terminated: ended("Error", 1, time.Minute)}}, false},
		"at the end of the window":    {corev1.ContainerStatus{LastTerminationState: corev1.ContainerState{Terminated: ended("OOMKilled", 137, oomKillWindow)}}, false},
		"long before the window":      {corev1.ContainerStatus{LastTerminationState: corev1.ContainerState{Terminated: ended("OOMKilled", 137, time.Hour)}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := recentlyOOMKilled(&corev1.Pod{Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{c.status}}}, noon); got != c.want {
				t.Errorf("recentlyOOMKilled() = %t, want %t", got, c.want)
			}
		})
	}
}
