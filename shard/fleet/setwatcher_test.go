package fleet

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/internal/watch/objects"
	"github.com/statefleet/statefleet/shard"
)

func TestDesiredStateFollowsFromTheStatefulSet(t *testing.T) {
	for name, c := range map[string]struct {
		set  func(*appsv1.StatefulSet)
		want desiredState // Total 0: the StatefulSet cannot be followed
	}{
		"largest number of replicas": {
			func(s *appsv1.StatefulSet) { s.Spec.Replicas = new(int32(shard.MaxTotal)) },
			desiredState{Assignment: shard.Assignment{Ordinal: 12, Total: shard.MaxTotal}},
		},
		"too many replicas": {func(s *appsv1.StatefulSet) { s.Spec.Replicas = new(int32(shard.MaxTotal + 1)) }, desiredState{}},
		"no replicas":       {func(s *appsv1.StatefulSet) { s.Spec.Replicas = new(int32(0)) }, desiredState{}},
		"default number of replicas": {
			func(s *appsv1.StatefulSet) { s.Spec.Replicas = nil },
			desiredState{Assignment: shard.Assignment{Ordinal: 12, Total: 1}},
		},
		"shifted ordinals": {
			func(s *appsv1.StatefulSet) { s.Spec.Ordinals = &appsv1.StatefulSetOrdinals{Start: 10} },
			desiredState{Assignment: shard.Assignment{Ordinal: 2, Total: 3}, Start: 10},
		},
		"selector and ordered pods": {
			func(s *appsv1.StatefulSet) {
				s.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "a"}}
				s.Spec.PodManagementPolicy = appsv1.OrderedReadyPodManagement
			},
			desiredState{Assignment: shard.Assignment{Ordinal: 12, Total: 3}, Selector: "app=a", OrderedReady: true},
		},
		"invalid selector": {
			func(s *appsv1.StatefulSet) {
				s.Spec.Selector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "?"}}}
			},
			desiredState{Assignment: shard.Assignment{Ordinal: 12, Total: 3}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got desiredState
			f := (&Coordinator{Pod: "fleet-12", Client: &Client{}}).newStatefulSetWatcher("fleet", func(d observedDesired) { got = d.desiredState })
			s := set("fleet", 3)
			s.Spec.Selector = &metav1.LabelSelector{}
			c.set(s)
			f.observe(objects.State[*appsv1.StatefulSet]{Objects: map[string]*appsv1.StatefulSet{"fleet": s}})
			if got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestRetriesOfTheCoordinatorBackOff(t *testing.T) {
	backoff := (&Coordinator{}).backoff()
	first := backoff.Step()
	if first < time.Second/2 || first > time.Second {
		t.Errorf("first retry after %s, want half a second to one second", first)
	}
	for range 20 {
		if d := backoff.Step(); d > 45*time.Second {
			t.Errorf("retry after %s, want at most 45 s", d)
		}
	}
	if d := backoff.Step(); d < 30*time.Second {
		t.Errorf("22nd retry after %s, want at least 30 s", d)
	}
}
