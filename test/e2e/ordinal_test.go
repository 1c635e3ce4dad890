package e2e

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/statefleet/statefleet/benchmarks/selfmetrics"
	"github.com/statefleet/statefleet/test/fleet"
)

// theFleetFollowsItsStatefulSet has the real controller create the pods of the manifests' StatefulSet and runs a
// process for each, as a kubelet would. Then it scales the StatefulSet up and down. The replicas that stay must change
// their shards without a restart, and each must expose pods at every scrape meanwhile.
func (w *world) theFleetFollowsItsStatefulSet(t *testing.T) {
	defer w.cluster.StartControllers(t, "statefulset-controller")()
	whole := w.startReplica(t)
	whole.WaitReady(t)
	var replicas []*fleet.Replica
	for ordinal := range shards {
		replicas = append(replicas, w.startPod(t, ordinal))
	}
	for _, replica := range replicas {
		replica.WaitReady(t)
	}
	waitForEqualUnion(t, whole, replicas)

	stopWatching := watchForEmptyExpositions(t, replicas)
	w.scale(t, shards+1)
	grown := append(replicas[:shards:shards], w.startPod(t, shards))
	grown[shards].WaitReady(t)
	waitShards(t, grown)
	waitForEqualUnion(t, whole, grown)

	w.scale(t, shards)
	grown[shards].Kill()
	waitShards(t, replicas)
	waitForEqualUnion(t, whole, replicas)
	stopWatching()
	for ordinal, replica := range replicas {
		if !replica.Running() {
			t.Errorf("replica %d ended with exit code %d", ordinal, replica.ExitCode())
		}
	}
}

// startPod waits for the pod of an ordinal and starts its process.
func (w *world) startPod(t *testing.T, ordinal int) *fleet.Replica {
	t.Helper()
	name := fmt.Sprintf("%s-%d", setName, ordinal)
	fleet.Eventually(t, "the controller creates pod "+name, func(ctx context.Context) error {
		_, err := w.cluster.Client().CoreV1().Pods(namespace).Get(ctx, name, metav1.GetOptions{})
		return err
	})
	return w.startReplica(t, "--pod="+name, "--pod-namespace="+namespace)
}

func (w *world) scale(t *testing.T, replicas int) {
	t.Helper()
	patch := fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas)
	_, err := w.cluster.Client().AppsV1().StatefulSets(namespace).Patch(t.Context(), setName, types.MergePatchType, patch, metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

// waitShards waits until the self-metrics of each replica report its ordinal as its shard, and the number of replicas
// as the number of shards.
func waitShards(t *testing.T, replicas []*fleet.Replica) {
	t.Helper()
	fleet.Eventually(t, fmt.Sprintf("all replicas report %d shards", len(replicas)), func(ctx context.Context) error {
		for ordinal, replica := range replicas {
			metrics, err := replica.SelfMetrics(ctx)
			if err != nil {
				return err
			}
			total, _ := metrics.Sum(selfmetrics.TotalShards, nil)
			shard, _ := metrics.Sum(selfmetrics.ShardOrdinal, nil)
			if int(total) != len(replicas) || int(shard) != ordinal {
				return fmt.Errorf("replica %d reports that it is shard %v of %v", ordinal, shard, total)
			}
		}
		return nil
	})
}

// watchForEmptyExpositions scrapes each replica repeatedly until stop is called. The test fails if a scrape fails or
// has no sample of a pod.
func watchForEmptyExpositions(t *testing.T, replicas []*fleet.Replica) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	var group sync.WaitGroup
	for ordinal, replica := range replicas {
		group.Go(func() {
			for scrapes := 0; ; scrapes++ {
				metrics, err := replica.Metrics(ctx)
				if ctx.Err() != nil {
					t.Logf("replica %d: %d scrapes", ordinal, scrapes)
					return
				}
				if err == nil && len(objects(metrics, "pods")) == 0 {
					err = errors.New("the exposition has no sample of a pod")
				}
				if err != nil {
					t.Errorf("scrape %d of replica %d: %v", scrapes, ordinal, err)
					return
				}
			}
		})
	}
	return func() {
		cancel()
		group.Wait()
	}
}
