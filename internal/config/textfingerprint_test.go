package config

import (
	"os"
	"path/filepath"
	"testing"
)

// TestTextFingerprintFollowsWhatIsExposed: only settings that change the exposed objects or their text change it.
func TestTextFingerprintFollowsWhatIsExposed(t *testing.T) {
	base := mustLoad(t).TextFingerprint()
	for _, flag := range []string{"--log.level=debug", "--port=1", "--store.raw-bytes=1MiB", "--kube-api-qps=7", "--drain-timeout=1s"} {
		if mustLoad(t, flag).TextFingerprint() != base {
			t.Errorf("%s changes the fingerprint", flag)
		}
	}
	seen := map[string]string{base: "nothing"}
	for _, flag := range []string{
		"--resources=pods", "--namespaces=a", "--namespaces-selector=a", "--object-selector=pods=a", "--node=n", "--object-bytes-limit=1MiB",
		"--metric-allowlist=a", "--metric-denylist=a", "--metric-labels-allowlist=pods=[a]", "--metric-annotations-allowlist=pods=[a]",
		"--metric.skip-zero-statesets", "--metric-opt-in-list=kube_pod_tolerations", "--metric.hold-deleted=1s",
	} {
		f := mustLoad(t, flag).TextFingerprint()
		if other, ok := seen[f]; ok {
			t.Errorf("%s has the fingerprint of %s", flag, other)
		}
		seen[f] = flag
	}
	file := filepath.Join(t.TempDir(), "custom.yaml")
	var last string
	for _, text := range []string{"spec: {resources: []}", "spec: {resources: [] }"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		f := mustLoad(t, "--custom-resource-state-config-file="+file).TextFingerprint()
		if f == last || f == base {
			t.Error("the content of the custom resource file does not change the fingerprint")
		}
		last = f
	}
}
