package app

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/statefleet/statefleet/internal/testing/exporter"
)

// stateReads returns the results of reading the saved state, from the self-metrics.
func (p *program) stateReads(t *testing.T) (results []string) {
	t.Helper()
	for _, line := range exporter.Lines(p.selfMetrics(t)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if result, ok := strings.CutPrefix(name, `statefleet_saved_state_reads_total{result="`); ok && value == "1" {
			results = append(results, strings.TrimSuffix(result, `"}`))
		}
	}
	return results
}

func TestNextProcessContinuesFromTheStateOfTheLastOne(t *testing.T) {
	c, api := exporter.Cluster(t)
	dir := t.TempDir()
	for _, step := range []struct {
		flags []string
		want  string
	}{
		{nil, "none"},
		{nil, "loaded"},
		{[]string{"--web.max-requests=7", "--kube-api-qps=50"}, "loaded"},
		{[]string{"--metric-denylist=kube_pod_info"}, "mismatch"},
		{[]string{"--metric-denylist=kube_pod_info"}, "loaded"},
		{[]string{"--total-shards=2"}, "mismatch"},
		{[]string{"--total-shards=2", "--shard=1"}, "mismatch"},
	} {
		p := start(t, append([]string{api, "--resources=pods,jobs", "--store.snapshot-dir=" + dir}, step.flags...)...)
		exporter.Eventually(t, "ready", func() bool {
			status, _ := p.Get(t, p.Metrics, "/readyz")
			return status == http.StatusOK
		})
		if got := p.stateReads(t); len(got) != 1 || got[0] != step.want {
			t.Errorf("%q: got the results %q, want %s", step.flags, got, step.want)
		}
		if want := len(c.Names("pods")); len(step.flags) == 0 && exporter.Count(p.Samples(t), "kube_pod_info{") != want {
			t.Errorf("%q: the exposition lacks some of the %d pods of the cluster, or has others", step.flags, want)
		}
		if err := c.Put(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "after-" + step.want}}); err != nil {
			t.Fatal(err)
		}
		p.End(t)
	}
}

func TestProcessWorksWithoutADirectoryForItsState(t *testing.T) {
	_, api := exporter.Cluster(t)
	p := start(t, api, "--resources=pods", "--store.snapshot-dir="+filepath.Join(t.TempDir(), "missing"))
	if exporter.Count(p.Samples(t), "kube_pod_info{") == 0 {
		t.Error("got no pods")
	}
	p.End(t)
	for _, want := range []string{"saved state cannot be read", "state could not be saved"} {
		if n := strings.Count(p.Log.String(), want); n != 1 {
			t.Errorf("got %d lines %q in the log, want 1", n, want)
		}
	}
}

func TestClusterIdentityFollowsServerAndAuthority(t *testing.T) {
	ca := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(ca, []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	of := func(host, file string) string {
		return clusterIdentity(&rest.Config{Host: host, TLSClientConfig: rest.TLSClientConfig{CAFile: file}})
	}
	one := of("https://10.0.0.1", ca)
	if of("https://10.0.0.1", ca) != one {
		t.Error("the same cluster has two identities")
	}
	if of("https://10.0.0.2", ca) == one || of("https://10.0.0.1", "") == one {
		t.Error("two clusters have one identity")
	}
	if err := os.WriteFile(ca, []byte("two"), 0o600); err != nil {
		t.Fatal(err)
	}
	if of("https://10.0.0.1", ca) == one {
		t.Error("another authority does not change the identity")
	}
}
