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

// topology is the state of the fleet in its ConfigMap.
type topology struct {
	Format         int // version of the topology's format
	Generation     int64
	Active, Target int
	SwitchAt       time.Time
	holding        int // number of replicas that have reported that they hold what they will own
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
		return now, errors.New("topology ConfigMap is empty")
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
			now.holding++
		}
	}
	return now, nil
}

const topologyName = setName + "-topology"

// step is a moment of a change from 3 replicas to 5.
type step struct {
	name    string
	reached func(topology) bool
}

func steps() []step {
	return []step{
		{"when-named", func(now topology) bool { return now.Target == 5 }},
		{"when-some-hold", func(now topology) bool { return now.Target == 5 && now.holding > 0 || now.Active == 5 }},
		{"before-the-switch", func(now topology) bool { return now.Target == 5 && !now.SwitchAt.IsZero() || now.Active == 5 }},
		{"after-the-switch", func(now topology) bool { return now.Active == 5 }},
	}
}

// waitForTopology waits until reached accepts the topology. Its failure message contains what.
func (s *setup) waitForTopology(t *testing.T, what string, reached func(topology) bool) {
	t.Helper()
	deadline := time.Now().Add(fleet.DefaultTimeout)
	for now, err := s.topology(t.Context()); err != nil || !reached(now); now, err = s.topology(t.Context()) {
		if time.Now().After(deadline) {
			t.Fatalf("topology never reached %q: got %+v, error %v", what, now, err)
		}
		time.Sleep(2 * time.Millisecond) // a step may be over soon
	}
}

// interruption is a disturbance in the middle of a change from 3 replicas to 5.
type interruption struct {
	name string
	// interrupt disturbs the change, and returns the number of replicas to which the fleet is scaled afterwards.
	interrupt func(t *testing.T, s *setup, a *audit.Audit) int
	standby   bool
	started   int // number of processes that must be started, at least
	// short is the number, from 1, of the step whose scenario also belongs to the short form; 0 for none.
	short int
}

func interruptions() []interruption {
	return []interruption{
		{name: "new-replica-killed", interrupt: killOrdinal(4), standby: true, started: 3},
		{name: "old-replica-killed", interrupt: killOrdinal(1), standby: true, started: 3},
		{name: "target-changed", interrupt: retarget, short: 1},
		{name: "topology-deleted", interrupt: deleteTopology, started: 2, short: 1},
		{name: "topology-emptied", interrupt: patchTopology(`{"data":null}`), started: 2, short: 4},
		{name: "topology-garbled", interrupt: patchTopology(`{"data":{"topology":"{\"generation\":\"x","replica-1":"[]"}}`), started: 2},
		{name: "topology-forged", interrupt: forge, started: 2, short: 2},
		{name: "another-writer", interrupt: contend, started: 2, short: 3},
	}
}

func killOrdinal(ordinal int) func(*testing.T, *setup, *audit.Audit) int {
	return func(t *testing.T, s *setup, a *audit.Audit) int {
		s.kill(t, a, ordinal)
		return 5
	}
}

func retarget(*testing.T, *setup, *audit.Audit) int { return 2 }

// deleteTopology deletes the ConfigMap, and creates it again without data, as in the manifests.
func deleteTopology(t *testing.T, s *setup, _ *audit.Audit) int {
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

func patchTopology(patch string) func(*testing.T, *setup, *audit.Audit) int {
	return func(t *testing.T, s *setup, _ *audit.Audit) int {
		_, err := s.cluster.Client().CoreV1().ConfigMaps(namespace).Patch(t.Context(), topologyName, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return 5
	}
}

// forge writes a topology with far more shards than the fleet has, and with a revision that the StatefulSet never had.
func forge(t *testing.T, s *setup, a *audit.Audit) int {
	set, err := s.cluster.Client().AppsV1().StatefulSets(namespace).Get(t.Context(), setName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(`{"format":1,"table":1,"generation":1000000,"active":1024,"statefulSet":%q,"revision":1000000}`, set.UID)
	return patchTopology(fmt.Sprintf(`{"data":{"topology":%q}}`, text))(t, s, a)
}

// contend updates the ConfigMap a hundred times in a second without changing its data, so that writes of replicas
// conflict.
func contend(t *testing.T, s *setup, _ *audit.Audit) int {
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
