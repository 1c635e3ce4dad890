package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/statefleet/statefleet/test/fleet"
	"github.com/statefleet/statefleet/test/seed"
)

// visibleWithin is how long a change may take to reach the exposition. It is compared with the median of several
// rounds, so that a single delay of a busy machine does not fail the test.
const (
	visibleWithin = time.Second
	rounds        = 7
)

func (w *world) changesAreVisibleWithinASecond(t *testing.T) {
	parts := w.startShards(t)
	var created, updated, deleted []time.Duration
	for round := range rounds {
		name := fmt.Sprintf("changing-%d", round)
		pod := w.createPod(t, name, round)
		created = append(created, waitVisible(t, parts, "created "+name, func(page string) bool { return strings.Contains(page, string(pod.UID)) }))
		mark := fmt.Sprintf("round-%d", round)
		w.labelPod(t, pod, mark)
		updated = append(updated, waitVisible(t, parts, "updated "+name, func(page string) bool { return strings.Contains(page, mark) }))
		w.deletePod(t, pod)
		deleted = append(deleted, waitVisible(t, parts, "deleted "+name, func(page string) bool { return !strings.Contains(page, string(pod.UID)) }))
	}
	for what, times := range map[string][]time.Duration{"create": created, "update": updated, "delete": deleted} {
		slices.Sort(times)
		t.Logf("%s: median %s, slowest %s", what, times[rounds/2], times[rounds-1])
		if times[rounds/2] > visibleWithin {
			t.Errorf("%s: got a median of %s until it is exposed, want at most %s: %v", what, times[rounds/2], visibleWithin, times)
		}
	}
}

// waitVisible waits until wanted accepts the concatenated expositions of all replicas, and returns how long that took.
func waitVisible(t *testing.T, replicas []*fleet.Replica, what string, wanted func(pages string) bool) time.Duration {
	t.Helper()
	start := time.Now()
	fleet.Eventually(t, what, func(ctx context.Context) error {
		var pages strings.Builder
		for _, replica := range replicas {
			answer, err := replica.Get(ctx, replica.URL+"/metrics?resources=pods")
			if err != nil || answer.Status != 200 {
				return fmt.Errorf("got status %d and error %v, want 200", answer.Status, err)
			}
			pages.WriteString(answer.Body)
		}
		if !wanted(pages.String()) {
			return errors.New("the expositions do not show it")
		}
		return nil
	})
	return time.Since(start)
}

func (w *world) createPod(t *testing.T, name string, i int) *corev1.Pod {
	t.Helper()
	pod, err := seed.PutPod(t.Context(), w.cluster.Client(), seed.NewPod(name, i))
	if err != nil {
		t.Fatal(err)
	}
	return pod
}

func (w *world) labelPod(t *testing.T, pod *corev1.Pod, mark string) {
	t.Helper()
	patch := fmt.Appendf(nil, `{"metadata":{"labels":{"mark":%q}}}`, mark)
	_, err := w.cluster.Client().CoreV1().Pods(pod.Namespace).Patch(t.Context(), pod.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) deletePod(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	now := int64(0)
	err := w.cluster.Client().CoreV1().Pods(pod.Namespace).Delete(t.Context(), pod.Name, metav1.DeleteOptions{GracePeriodSeconds: &now})
	if err != nil {
		t.Fatal(err)
	}
}
