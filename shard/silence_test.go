package shard

import (
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"
	k8stesting "k8s.io/client-go/testing"
)

// TestReplicaWhoseStatefulSetIsSilentFollowsItAnew: the others have changed over to what its watch has not brought. It
// must not take them back to where they were.
func TestReplicaWhoseStatefulSetIsSilentFollowsItAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 3, boardWith(Topology{Generation: 4, Active: 3, Set: "set", Revision: 1}))
		watches := 0
		p.client.PrependWatchReactor("statefulsets", func(k8stesting.Action) (bool, watch.Interface, error) {
			watches++
			return watches == 1, watch.NewRaceFreeFake(), nil
		})
		a := p.join(0)
		a.waitPlan(t, Plan{Ordinal: 0, Active: 3, Target: 3})
		p.scale(5)
		decided := Topology{Generation: 6, Active: 5, Set: "set", Revision: 2}
		if _, _, err := p.write(func(now *corev1.ConfigMap) (*corev1.ConfigMap, error) {
			next := now.DeepCopy()
			next.Data[topologyKey] = decided.String()
			return next, nil
		}); err != nil {
			t.Fatal(err)
		}
		a.waitPlan(t, Plan{Ordinal: 0, Active: 5, Target: 5})
		time.Sleep(2 * oldNews)
		if now := p.topology(); now != decided {
			t.Errorf("the topology is %v, want %v", now, decided)
		}
		if s := a.Status(); s.Wanted != 5 {
			t.Errorf("%d replicas are wanted as it knows, want 5", s.Wanted)
		}
	})
}
