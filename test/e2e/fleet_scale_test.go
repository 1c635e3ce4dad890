package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/statefleet/statefleet/test/fleet"
	"github.com/statefleet/statefleet/test/seed"
)

// handOver is how long an object may be on two pages, or on none, while the fleet changes over.
const handOver = 250 * time.Millisecond

// churning is how the names of pods begin that come and go.
const churning = "churn-"

// theFleetMovesAsOne scales the fleet up and down while objects come and go, and holds every moment of it to the promise
// that an object is on exactly one page.
func (w *world) theFleetMovesAsOne(t *testing.T) {
	defer w.cluster.StartControllers(t, "statefulset-controller")()
	w.scale(t, 0)
	w.removeFleetPods(t)
	k := w.runKubelet(t)
	w.scale(t, 3)
	k.waitFleet(t, 3)
	stop := w.churn(t)
	defer stop()
	from := 3
	for _, to := range []int{5, 2, 1, 3} {
		a := k.audit(t)
		began := time.Now()
		w.scale(t, to)
		k.waitFleet(t, to)
		took := time.Since(began)
		time.Sleep(time.Second)
		v := a.verdict()
		t.Logf("scenario=scale-%d-to-%d took=%s %s", from, to, took.Round(time.Millisecond), v)
		if v.surely[true] > handOver || v.surely[false] > handOver {
			t.Errorf("from %d to %d: an object was on two pages for %s, or on none for %s", from, to, v.surely[true], v.surely[false])
		}
		from = to
	}
	for name, interrupt := range w.interruptions(k) {
		t.Run(name, func(t *testing.T) {
			a := k.audit(t)
			w.scale(t, 5)
			w.waitTopology(t, "a change is prepared", func(text string) bool { return strings.Contains(text, `"target":5`) })
			interrupt(t)
			k.waitFleet(t, 5)
			v := a.verdict()
			t.Logf("scenario=%s %s", name, v)
			if v.surely[true] > handOver {
				t.Errorf("an object was on two pages for %s", v.surely[true])
			}
			if v.surely[false] > handOver && name != killed { // without standby, what a replica owns is missing until it is back
				t.Errorf("an object was on no page for %s", v.surely[false])
			}
			k.audit(t).stop() // everything is on one page again
			w.scale(t, 3)
			k.waitFleet(t, 3)
		})
	}
	w.scale(t, 0)
	k.waitFleet(t, 0)
	w.scale(t, 2)
	k.waitFleet(t, 2)
	k.audit(t).stop()
	w.scale(t, shards)
	k.waitFleet(t, shards)
}

// interruptions are what happens in the middle of a change from 3 to 5, each leaving a fleet that wants 5.
func (w *world) interruptions(k *kubelet) map[string]func(t *testing.T) {
	return map[string]func(t *testing.T){
		killed: func(*testing.T) { k.replica(1).Kill() },
		"kill-new-replica": func(t *testing.T) {
			fleet.Eventually(t, "the new replica runs", func(context.Context) error {
				if k.replica(4) == nil {
					return errors.New("it does not")
				}
				return nil
			})
			k.replica(4).Kill()
		},
		"another-target": func(t *testing.T) {
			w.scale(t, 4)
			w.waitTopology(t, "the other target", func(text string) bool {
				return strings.Contains(text, `"target":4`) || strings.Contains(text, `"active":4`)
			})
			w.scale(t, 5)
		},
		"api-server-restart": func(t *testing.T) {
			if err := w.cluster.Restart(nil); err != nil {
				t.Fatal(err)
			}
		},
		"topology-emptied": func(t *testing.T) {
			patch := []byte(`{"data":null}`)
			if _, err := w.cluster.Client().CoreV1().ConfigMaps(namespace).Patch(t.Context(), topologyName, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
				t.Fatal(err)
			}
		},
	}
}

// killed is the interruption that no fleet without standby gets through without a gap.
const killed = "kill-old-replica"

const topologyName = setName + "-topology"

// waitTopology waits until the text of the topology is as wanted.
func (w *world) waitTopology(t *testing.T, what string, wanted func(text string) bool) {
	t.Helper()
	fleet.Eventually(t, what, func(ctx context.Context) error {
		object, err := w.cluster.Client().CoreV1().ConfigMaps(namespace).Get(ctx, topologyName, metav1.GetOptions{})
		if err == nil && !wanted(object.Data["topology"]) {
			err = errors.New(object.Data["topology"])
		}
		return err
	})
}

// removeFleetPods removes pods that no process stands behind.
func (w *world) removeFleetPods(t *testing.T) {
	t.Helper()
	pods := w.cluster.Client().CoreV1().Pods(namespace)
	fleet.Eventually(t, "no pods of the fleet", func(ctx context.Context) error {
		now := int64(0)
		if err := pods.DeleteCollection(ctx, metav1.DeleteOptions{GracePeriodSeconds: &now}, metav1.ListOptions{}); err != nil {
			return err
		}
		left, err := pods.List(ctx, metav1.ListOptions{})
		if err == nil && len(left.Items) > 0 {
			err = fmt.Errorf("%d are left", len(left.Items))
		}
		return err
	})
}

// waitFleet waits until there are n replicas, all ready, that agree on n and have nothing more to change.
func (k *kubelet) waitFleet(t *testing.T, n int) {
	t.Helper()
	fleet.Eventually(t, fmt.Sprintf("a fleet of %d", n), func(ctx context.Context) error {
		running := k.running()
		if len(running) != n {
			return fmt.Errorf("%d replicas run", len(running))
		}
		for _, r := range running {
			self, err := r.SelfMetrics(ctx)
			if err != nil {
				return err
			}
			active, _ := self.Sum("statefleet_topology_active_shards", nil)
			changing, _ := self.Sum("statefleet_transition_in_progress", nil)
			coordinated, _ := self.Sum("statefleet_coordination", map[string]string{"state": "coordinated"})
			if int(active) != n || changing != 0 || coordinated != 1 || !isReady(ctx, r) {
				return fmt.Errorf("%s: active %v, changing %v, coordinated %v", r.URL, active, changing, coordinated)
			}
		}
		return nil
	})
}

// churn makes, changes and deletes pods until it is stopped.
func (w *world) churn(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var working sync.WaitGroup
	working.Go(func() {
		var alive []*corev1.Pod
		now := int64(0)
		client := w.cluster.Client()
		for i := 0; ctx.Err() == nil; i++ {
			if pod, err := seed.PutPod(ctx, client, seed.NewPod(fmt.Sprint(churning, i), i)); err == nil {
				alive = append(alive, pod)
			}
			if len(alive) > 20 {
				at := rand.IntN(len(alive))
				_ = client.CoreV1().Pods(alive[at].Namespace).Delete(ctx, alive[at].Name, metav1.DeleteOptions{GracePeriodSeconds: &now})
				alive = append(alive[:at], alive[at+1:]...)
			}
			time.Sleep(20 * time.Millisecond)
		}
		for _, pod := range alive { // the next check finds the cluster as it was
			_ = client.CoreV1().Pods(pod.Namespace).Delete(context.Background(), pod.Name, metav1.DeleteOptions{GracePeriodSeconds: &now})
		}
	})
	stop = sync.OnceFunc(func() {
		cancel()
		working.Wait()
	})
	t.Cleanup(stop)
	return stop
}
