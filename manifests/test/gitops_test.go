package test

import (
	"encoding/json"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
)

// applyAgain returns the patch that "kubectl apply", Helm 3 and Argo CD send for a live object. before is the manifest
// that they applied last, and after the new one.
func applyAgain[T any](t *testing.T, before, after, live T) string {
	t.Helper()
	var texts [3][]byte
	for i, object := range []T{before, after, live} {
		text, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		texts[i] = text
	}
	var kind T
	lookup, err := strategicpatch.NewPatchMetaFromStruct(kind)
	if err != nil {
		t.Fatal(err)
	}
	patch, err := strategicpatch.CreateThreeWayMergePatch(texts[0], texts[1], texts[2], lookup, true)
	if err != nil {
		t.Fatal(err)
	}
	return string(patch)
}

func installations(t *testing.T) map[string]objects {
	t.Helper()
	return map[string]objects{"base": build(t, "base"), "chart": rendered(t, "{}")}
}

// TestApplyingAgainKeepsTheTopology checks that a manifest does not change the data, which the fleet writes.
func TestApplyingAgainKeepsTheTopology(t *testing.T) {
	for name, all := range installations(t) {
		manifest := *find[*corev1.ConfigMap](t, all, "statefleet-topology")
		if len(manifest.Data) > 0 || len(manifest.BinaryData) > 0 {
			t.Errorf("%s: the manifest has data, want none, because its client would own them", name)
		}
		live := manifest
		live.Data = map[string]string{"topology": "{}", "replica-0": "{}"}
		if patch := applyAgain(t, manifest, manifest, live); patch != "{}" {
			t.Errorf("%s: got patch %s of the topology, want none", name, patch)
		}
	}
}

// TestApplyingAgainSetsTheReplicas proves the warning in docs/upgrades.md.
func TestApplyingAgainSetsTheReplicas(t *testing.T) {
	for name, all := range installations(t) {
		manifest := *workload(t, all)
		live := manifest
		live.Spec.Replicas = new(int32(5))
		if patch := applyAgain(t, manifest, manifest, live); patch != `{"spec":{"replicas":3}}` {
			t.Errorf("%s: got patch %s, want 3 replicas", name, patch)
		}
	}
}

// TestAutoscalerOwnsTheReplicas checks that with an autoscaler the chart does not set the replicas, so that an upgrade
// keeps them.
func TestAutoscalerOwnsTheReplicas(t *testing.T) {
	manifest := *workload(t, rendered(t, `{autoscaling: {enabled: true}}`))
	live := manifest
	live.Spec.Replicas = new(int32(5))
	if patch := applyAgain(t, manifest, manifest, live); patch != "{}" {
		t.Errorf("got patch %s, want none", patch)
	}
}

// TestLeavingOutTheReplicasResetsThem checks that a manifest which no longer sets the replicas removes them. The
// default of the API server is 1.
func TestLeavingOutTheReplicasResetsThem(t *testing.T) {
	before := *workload(t, rendered(t, `{}`))
	after := *workload(t, rendered(t, `{autoscaling: {enabled: true}}`))
	if patch := applyAgain(t, before, after, before); !strings.Contains(patch, `"replicas":null`) {
		t.Errorf("got patch %s, want replicas null", patch)
	}
}
