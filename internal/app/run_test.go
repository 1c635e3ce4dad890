package app

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/internal/testing/exporter"
)

func TestRunServesTheObjectsOfTheCluster(t *testing.T) {
	c, api := exporter.Cluster(t)
	p := start(t, api, "--resources=jobs")
	if got, want := exporter.Count(p.Samples(t), "kube_job_info{"), len(c.Names("jobs")); got != want || want == 0 {
		t.Errorf("got %d jobs, want %d", got, want)
	}
	status, self := p.Get(t, p.Telemetry, "/metrics")
	for _, want := range []string{
		"\nkube_state_metrics_total_shards 1\n",
		"\nkube_state_metrics_shard_ordinal{shard_ordinal=\"0\"} 0\n",
		"\nkube_state_metrics_build_info{",
		"\nstatefleet_build_info{",
		"\nkube_state_metrics_list_total{",
		"\nstatefleet_scrapes_total{code=\"200\",",
		"\ngo_goroutines ",
		"\nprocess_start_time_seconds ",
	} {
		if status != http.StatusOK || !strings.Contains(self, want) {
			t.Errorf("the self-metrics, status %d, lack %q", status, want)
		}
	}
	if strings.Contains(p.Log.String(), "level=WARN") || strings.Contains(p.Log.String(), "level=ERROR") {
		t.Errorf("the log contains a warning or an error:\n%s", p.Log.String())
	}
}

// TestObjectSelectorFollowsLabels checks that objects that do not match are left out, and that an object whose labels
// no longer match leaves the exposition.
func TestObjectSelectorFollowsLabels(t *testing.T) {
	c, api := exporter.Cluster(t)
	pod := func(name, team string) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, Labels: map[string]string{"team": team}}}
	}
	for _, o := range []*corev1.Pod{pod("one", "a"), pod("two", "b"), pod("three", "c")} {
		if err := c.Put(o); err != nil {
			t.Fatal(err)
		}
	}
	p := start(t, api, "--resources=pods,nodes", "--object-selector=pods=team in (a, b)")
	exposes := func(names ...string) func() bool {
		return func() bool {
			lines := p.Samples(t)
			for _, name := range names {
				if exporter.Count(lines, `kube_pod_info{namespace="default",pod="`+name+`",`) != 1 {
					return false
				}
			}
			return exporter.Count(lines, "kube_pod_info{") == len(names) && exporter.Count(lines, "kube_node_info{") > 0
		}
	}
	exporter.Eventually(t, "the pods of two teams", exposes("one", "two"))
	for _, o := range []*corev1.Pod{pod("one", "c"), pod("three", "a")} {
		if err := c.Put(o); err != nil {
			t.Fatal(err)
		}
	}
	exporter.Eventually(t, "the pods whose labels match now", exposes("two", "three"))
}

func TestShardsTogetherAreTheWhole(t *testing.T) {
	_, api := exporter.Cluster(t)
	whole := start(t, api)
	want := whole.Samples(t)
	whole.End(t)
	var union []string
	for shard := range 3 {
		p := start(t, api, fmt.Sprintf("--shard=%d", shard), "--total-shards=3")
		lines := p.Samples(t)
		p.End(t)
		if len(lines) == 0 || len(lines) == len(want) {
			t.Errorf("shard %d: got %d of %d series, want a part of them", shard, len(lines), len(want))
		}
		union = append(union, lines...)
	}
	slices.Sort(union)
	if !slices.Equal(union, want) {
		t.Errorf("got %d series from 3 shards, want the %d of an unsharded replica", len(union), len(want))
	}
}

func TestShardFollowsTheStatefulSet(t *testing.T) {
	c, api := exporter.Cluster(t)
	meta := metav1.ObjectMeta{Namespace: "monitoring", Name: "statefleet"}
	replicas, controller := int32(2), true
	set := &appsv1.StatefulSet{ObjectMeta: meta, Spec: appsv1.StatefulSetSpec{Replicas: &replicas}}
	if err := c.Put(set); err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "monitoring", Name: "statefleet-1",
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "StatefulSet", Name: set.Name, UID: set.UID, Controller: &controller}}}}
	if err := c.Put(pod); err != nil {
		t.Fatal(err)
	}
	p := start(t, api, "--resources=pods,jobs", "--pod=statefleet-1", "--pod-namespace=monitoring", "--shard=0")
	half := len(p.Samples(t))
	hasShards := func(total int) func() bool {
		want := fmt.Sprintf("\nkube_state_metrics_shard_ordinal{shard_ordinal=\"1\"} 1\n# HELP kube_state_metrics_total_shards "+
			"Number of shards in the fleet, as this replica knows it.\n# TYPE kube_state_metrics_total_shards gauge\n"+
			"kube_state_metrics_total_shards %d\n", total)
		return func() bool {
			_, self := p.Get(t, p.Telemetry, "/metrics")
			return strings.Contains(self, want)
		}
	}
	exporter.Eventually(t, "shard 1 of 2", hasShards(2))
	replicas = 4
	set = set.DeepCopy()
	if err := c.Put(set); err != nil {
		t.Fatal(err)
	}
	exporter.Eventually(t, "shard 1 of 4", hasShards(4))
	exporter.Eventually(t, "a smaller exposition", func() bool { return len(p.Samples(t)) < half })
	if !strings.Contains(p.Log.String(), "--pod wins over --shard") {
		t.Error("the log lacks the warning that --pod wins over --shard")
	}
}

func TestProcessWaitsForTheAPIServer(t *testing.T) {
	p := start(t, "--apiserver=http://127.0.0.1:9")
	for _, address := range []string{p.Metrics, p.Telemetry} {
		for path, want := range map[string]int{"/livez": 200, "/healthz": 200, "/readyz": 503} {
			if status, text := p.Get(t, address, path); status != want {
				t.Errorf("%s: got status %d, want %d: %s", path, status, want, text)
			}
		}
	}
	if status, text := p.Get(t, p.Metrics, "/metrics"); status != http.StatusServiceUnavailable || strings.TrimSpace(text) == "" {
		t.Errorf("/metrics: got status %d, %q; want 503 and a reason", status, text)
	}
	exporter.Eventually(t, "one reason for all kinds", func() bool {
		_, text := p.Get(t, p.Metrics, "/readyz")
		return strings.TrimSpace(text) == "cannot reach the API server http://127.0.0.1:9: connection refused (32 kinds)"
	})
	if log := p.Log.String(); strings.Count(log, "level=WARN") != 1 || !strings.Contains(log, `server=http://127.0.0.1:9 err="connection refused"`) {
		t.Errorf("want one warning, about the API server, in the log:\n%s", log)
	}
}

func TestPodThatBelongsToNoStatefulSetEndsTheProgram(t *testing.T) {
	c, api := exporter.Cluster(t)
	controller := true
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "monitoring", Name: "statefleet-1",
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: "statefleet", UID: "u", Controller: &controller}}}}
	if err := c.Put(pod); err != nil {
		t.Fatal(err)
	}
	args := []string{api, "--host=127.0.0.1", "--port=0", "--telemetry-port=0", "--pod=statefleet-1", "--pod-namespace=monitoring"}
	if err := runProcess(t.Context(), args, io.Discard, nil); err == nil || !strings.HasPrefix(err.Error(), "--pod: ") {
		t.Errorf("got the error %v, want one that names --pod", err)
	}
}
