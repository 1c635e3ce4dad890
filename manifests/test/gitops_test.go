package test

import (
	"encoding/json"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
)

// applyAgain is the patch by which "kubectl apply", Helm 3 and Argo CD bring a live object from the manifest that was applied
// before to a new one.
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

// TestApplyingAgainKeepsTheTopology: the fleet writes data, which no manifest names.
func TestApplyingAgainKeepsTheTopology(t *testing.T) {
	for name, all := range installations(t) {
		manifest := *find[*corev1.ConfigMap](t, all, "statefleet-topology")
		if len(manifest.Data) > 0 || len(manifest.BinaryData) > 0 {
			t.Errorf("%s: the manifest names data, so that the client that applies it owns them", name)
		}
		live := manifest
		live.Data = map[string]string{"topology": "{}", "replica-0": "{}"}
		if patch := applyAgain(t, manifest, manifest, live); patch != "{}" {
			t.Errorf("%s: applying again changes the topology: %s", name, patch)
		}
	}
}

// TestApplyingAgainSetsTheReplicas: what docs/upgrades.md warns of.
func TestApplyingAgainSetsTheReplicas(t *testing.T) {
	for name, all := range installations(t) {
		manifest := *find[*appsv1.StatefulSet](t, all, "statefleet")
		live := manifest
		live.Spec.Replicas = new(int32(5))
		if patch := applyAgain(t, manifest, manifest, live); patch != `{"spec":{"replicas":3}}` {
			t.Errorf("%s: applying again: %s", name, patch)
		}
	}
}

// TestAutoscalerOwnsTheReplicas: the chart does not name them, so an upgrade leaves them alone.
func TestAutoscalerOwnsTheReplicas(t *testing.T) {
	manifest := *find[*appsv1.StatefulSet](t, rendered(t, `{autoscaling: {enabled: true}}`), "statefleet")
	live := manifest
	live.Spec.Replicas = new(int32(5))
	if patch := applyAgain(t, manifest, manifest, live); patch != "{}" {
		t.Errorf("an upgrade changes %s", patch)
	}
}

// TestLeavingOutTheReplicasResetsThem: a manifest that names them no more takes them away, and the API server's default is 1.
func TestLeavingOutTheReplicasResetsThem(t *testing.T) {
	before := *find[*appsv1.StatefulSet](t, rendered(t, `{}`), "statefleet")
	after := *find[*appsv1.StatefulSet](t, rendered(t, `{autoscaling: {enabled: true}}`), "statefleet")
	if patch := applyAgain(t, before, after, before); !strings.Contains(patch, `"replicas":null`) {
		t.Errorf("the patch is %s", patch)
	}
}
