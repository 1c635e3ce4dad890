package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestRunServesTheObjectsOfTheCluster(t *testing.T) {
	c, api := cluster(t)
	p := start(t, api, "--resources=jobs")
	if got, want := count(p.page(t), "kube_job_info{"), len(c.Names("jobs")); got != want || want == 0 {
		t.Errorf("%d jobs on the page, %d in the cluster", got, want)
	}
	status, self := p.get(t, p.telemetry, "/metrics")
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
			t.Errorf("telemetry, status %d, lacks %q", status, want)
		}
	}
	if strings.Contains(p.log.String(), "level=WARN") || strings.Contains(p.log.String(), "level=ERROR") {
		t.Errorf("something is not right:\n%s", p.log.String())
	}
}

func TestShardsTogetherAreTheWhole(t *testing.T) {
	_, api := cluster(t)
	whole := start(t, api)
	want := whole.page(t)
	whole.end(t)
	var union []string
	for shard := range 3 {
		p := start(t, api, fmt.Sprintf("--shard=%d", shard), "--total-shards=3")
		lines := p.page(t)
		p.end(t)
		if len(lines) == 0 || len(lines) == len(want) {
			t.Errorf("shard %d has %d of %d series", shard, len(lines), len(want))
		}
		union = append(union, lines...)
	}
	slices.Sort(union)
	if !slices.Equal(union, want) {
		t.Errorf("3 shards have %d series, the unsharded page has %d", len(union), len(want))
	}
}

func TestShardFollowsTheStatefulSet(t *testing.T) {
	c, api := cluster(t)
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
	half := len(p.page(t))
	shows := func(total int) func() bool {
		want := fmt.Sprintf("\nkube_state_metrics_shard_ordinal{shard_ordinal=\"1\"} 1\n# HELP kube_state_metrics_total_shards "+
			"Number of shards in the fleet, as this replica knows it.\n# TYPE kube_state_metrics_total_shards gauge\n"+
			"kube_state_metrics_total_shards %d\n", total)
		return func() bool {
			_, self := p.get(t, p.telemetry, "/metrics")
			return strings.Contains(self, want)
		}
	}
	eventually(t, "shard 1 of 2", shows(2))
	replicas = 4
	set = set.DeepCopy()
	if err := c.Put(set); err != nil {
		t.Fatal(err)
	}
	eventually(t, "shard 1 of 4", shows(4))
	eventually(t, "a smaller page", func() bool { return len(p.page(t)) < half })
	if !strings.Contains(p.log.String(), "--pod wins over --shard") {
		t.Error("the log does not say that --pod wins over --shard")
	}
}

func TestAPIServerAwayAtStartIsWaitedFor(t *testing.T) {
	p := start(t, "--apiserver=http://127.0.0.1:9")
	for _, address := range []string{p.metrics, p.telemetry} {
		for path, want := range map[string]int{"/livez": 200, "/healthz": 200, "/readyz": 503} {
			if status, text := p.get(t, address, path); status != want {
				t.Errorf("%s: status %d, want %d: %s", path, status, want, text)
			}
		}
	}
	if status, text := p.get(t, p.metrics, "/metrics"); status != http.StatusServiceUnavailable || strings.TrimSpace(text) == "" {
		t.Errorf("/metrics: status %d, %q", status, text)
	}
	eventually(t, "a line in the log that says what is tried", func() bool { return strings.Contains(p.log.String(), "127.0.0.1:9") })
}

func TestPodThatBelongsToNoStatefulSetEndsTheProgram(t *testing.T) {
	c, api := cluster(t)
	controller := true
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "monitoring", Name: "statefleet-1",
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: "statefleet", UID: "u", Controller: &controller}}}}
	if err := c.Put(pod); err != nil {
		t.Fatal(err)
	}
	var log lockedBuffer
	args := []string{api, "--host=127.0.0.1", "--port=0", "--telemetry-port=0", "--pod=statefleet-1", "--pod-namespace=monitoring"}
	code := run(t.Context(), args, io.Discard, &log)
	if text := log.String(); code != exitFailure || !strings.Contains(text, "statefleet: error: --pod: ") {
		t.Errorf("ended with status %d; its log:\n%s", code, text)
	}
}

func TestSignalEndsTheProgramInOrder(t *testing.T) {
	_, api := cluster(t)
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		p := start(t, api, "--resources=jobs")
		p.page(t)
		if err := syscall.Kill(os.Getpid(), signal); err != nil {
			t.Fatal(err)
		}
		p.client.CloseIdleConnections()
		select {
		case code := <-p.ended:
			p.ended = nil
			if code != exitOK || !strings.Contains(p.log.String(), "msg=stopping") {
				t.Errorf("%v: ended with status %d; its log:\n%s", signal, code, p.log.String())
			}
		case <-time.After(patience):
			t.Fatalf("%v is ignored; the log:\n%s", signal, p.log.String())
		}
	}
}
