package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"

	"github.com/statefleet/statefleet/test/audit"
	"github.com/statefleet/statefleet/test/fleet"
)

// topology is what the fleet has written down of a change.
type topology struct {
	Format         int // of what is written down
	Generation     int64
	Active, Target int
	SwitchAt       time.Time
	holds          int // replicas that have reported that they hold what they will own
}

func (w *world) topology(ctx context.Context) (topology, error) {
	object, err := w.cluster.Client().CoreV1().ConfigMaps(namespace).Get(ctx, topologyName, metav1.GetOptions{})
	if err != nil {
		return topology{}, err
	}
	return parseTopology(object)
}

func parseTopology(object *corev1.ConfigMap) (topology, error) {
	var now topology
	if object.Data["topology"] == "" {
		return now, errors.New("nothing is written down")
	}
	if err := json.Unmarshal([]byte(object.Data["topology"]), &now); err != nil {
		return now, err
	}
	for key, text := range object.Data {
		var report struct {
			Generation int64
			Holds      bool
		}
		if strings.HasPrefix(key, "replica-") && json.Unmarshal([]byte(text), &report) == nil && report.Generation == now.Generation && report.Holds {
			now.holds++
		}
	}
	return now, nil
}

const topologyName = setName + "-topology"

// step is a moment of a change from 3 replicas to 5.
type step struct {
	name string
	come func(topology) bool
}

func steps() []step {
	return []step{
		{"when-named", func(now topology) bool { return now.Target == 5 }},
		{"when-some-hold", func(now topology) bool { return now.Target == 5 && now.holds > 0 || now.Active == 5 }},
		{"before-the-switch", func(now topology) bool { return now.Target == 5 && !now.SwitchAt.IsZero() || now.Active == 5 }},
		{"after-the-switch", func(now topology) bool { return now.Active == 5 }},
	}
}

// await waits for the moment.
func (s *stage) await(t *testing.T, step step) {
	t.Helper()
	deadline := time.Now().Add(fleet.Patience)
	for now, err := s.topology(t.Context()); err != nil || !step.come(now); now, err = s.topology(t.Context()) {
		if time.Now().After(deadline) {
			t.Fatalf("no change that is %s: %+v, %v", step.name, now, err)
		}
		time.Sleep(2 * time.Millisecond) // the step may be over soon
	}
}

// until waits for a state of the topology.
func (s *stage) until(t *testing.T, what string, come func(topology) bool) {
	t.Helper()
	s.await(t, step{what, come})
}

// interruption is what happens in the middle of a change.
type interruption struct {
	name string
	// interrupt returns the number of replicas that are wanted in the end.
	interrupt func(t *testing.T, s *stage, a *audit.Audit) int
	standby   bool
	started   int // processes, at least
	// short is the step, from 1, at which the short form has it too.
	short int
}

func interruptions() []interruption {
	return []interruption{
		{name: "new-replica-killed", interrupt: killing(4), standby: true, started: 3},
		{name: "old-replica-killed", interrupt: killing(1), standby: true, started: 3},
		{name: "target-changed", interrupt: retarget, short: 1},
		{name: "topology-deleted", interrupt: deleteTopology, started: 2, short: 1},
		{name: "topology-emptied", interrupt: patchTopology(`{"data":null}`), started: 2, short: 4},
		{name: "topology-garbled", interrupt: patchTopology(`{"data":{"topology":"{\"generation\":\"x","replica-1":"[]"}}`), started: 2},
		{name: "topology-forged", interrupt: forge, started: 2, short: 2},
		{name: "another-writer", interrupt: contend, started: 2, short: 3},
	}
}

func killing(ordinal int) func(*testing.T, *stage, *audit.Audit) int {
	return func(t *testing.T, s *stage, a *audit.Audit) int {
		s.kill(t, a, ordinal)
		return 5
	}
}

func retarget(*testing.T, *stage, *audit.Audit) int { return 2 }

// deleteTopology deletes the object, and applies it again as it is delivered.
func deleteTopology(t *testing.T, s *stage, _ *audit.Audit) int {
	maps := s.cluster.Client().CoreV1().ConfigMaps(namespace)
	if err := maps.Delete(t.Context(), topologyName, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * time.Second)
	again := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: topologyName}}
	if _, err := maps.Create(t.Context(), again, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return 5
}

func patchTopology(patch string) func(*testing.T, *stage, *audit.Audit) int {
	return func(t *testing.T, s *stage, _ *audit.Audit) int {
		_, err := s.cluster.Client().CoreV1().ConfigMaps(namespace).Patch(t.Context(), topologyName, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return 5
	}
}

// forge names a number of shards that no fleet has, by a state of the StatefulSet that there has never been.
func forge(t *testing.T, s *stage, a *audit.Audit) int {
	set, err := s.cluster.Client().AppsV1().StatefulSets(namespace).Get(t.Context(), setName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(`{"format":1,"table":1,"generation":1000000,"active":1024,"statefulSet":%q,"revision":1000000}`, set.UID)
	return patchTopology(fmt.Sprintf(`{"data":{"topology":%q}}`, text))(t, s, a)
}

// contend writes the object a hundred times in a second without changing what it says, so that others that write it find
// that it is not what they have read.
func contend(t *testing.T, s *stage, _ *audit.Audit) int {
	maps := s.cluster.Client().CoreV1().ConfigMaps(namespace)
	for range 100 {
		err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
			object, err := maps.Get(t.Context(), topologyName, metav1.GetOptions{})
			if err == nil {
				metav1.SetMetaDataAnnotation(&object.ObjectMeta, "touched", time.Now().Format(time.RFC3339Nano))
				_, err = maps.Update(t.Context(), object, metav1.UpdateOptions{})
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return 5
}
