package app

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/internal/testing/exporter"
)

// briefPod returns a pod that is deleted soon after its creation.
func briefPod() *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "brief"}}
}

// The last state of a pod that lives between two scrapes is exposed for the given time, regardless of other scrapes:
// those of the other server of a pair, HEAD requests, or scrapes that were cut off.
func TestDeletedPodStaysExposedRegardlessOfScrapes(t *testing.T) {
	c, api := exporter.Cluster(t)
	p := start(t, api, "--resources=pods", "--metric.hold-deleted=1h")
	before := p.Samples(t)
	pod := briefPod()
	p.waitForEvents(t, 3, func() error {
		return errors.Join(c.Put(pod), c.Modify(pod, func() { pod.Status.Phase = corev1.PodSucceeded }), c.Delete(pod))
	})
	labels := `{namespace="default",pod="brief",uid="` + string(pod.UID) + `",`
	for _, method := range []string{http.MethodHead, http.MethodGet} {
		request, err := http.NewRequestWithContext(t.Context(), method, "http://"+p.Metrics+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := p.Client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close() // before the GET was read
	}
	for range 3 {
		added := without(p.Samples(t), before)
		if !slices.Contains(added, "kube_pod_status_phase"+labels+`phase="Succeeded"} 1`+"\n") {
			t.Errorf("the exposition lacks the last phase of the pod: %q", added)
		}
		if slices.ContainsFunc(added, func(line string) bool { return !strings.Contains(line, labels[:len(labels)-1]) }) {
			t.Errorf("got new samples %q, want only those of the pod", added)
		}
	}
}

// Without the flag, a deleted pod leaves the exposition at once.
func TestDeletedPodIsNotHeldByDefault(t *testing.T) {
	c, api := exporter.Cluster(t)
	p := start(t, api, "--resources=pods")
	before, pods := p.Samples(t), p.selfMetric(t, podsServed)
	pod := briefPod()
	p.waitForEvents(t, 2, func() error { return errors.Join(c.Put(pod), c.Delete(pod)) })
	exporter.Eventually(t, "the pod is gone", func() bool { return p.selfMetric(t, podsServed) == pods })
	if got := p.Samples(t); !slices.Equal(got, before) {
		t.Errorf("got new samples %q, want none", without(got, before))
	}
}

// Series of the self-metrics.
const (
	podsServed = `statefleet_objects{resource="pods"}`
	podsRead   = `statefleet_watch_objects_total{resource="pods",shard="owned"}`
)

// waitForEvents changes pods and waits until the program has read that many events of pods.
func (p *program) waitForEvents(t *testing.T, events float64, change func() error) {
	t.Helper()
	before := p.selfMetric(t, podsRead)
	if err := change(); err != nil {
		t.Fatal(err)
	}
	exporter.Eventually(t, "the events are read", func() bool { return p.selfMetric(t, podsRead) == before+events })
}

// selfMetric returns the value of a series of the self-metrics; 0 if it is missing.
func (p *program) selfMetric(t *testing.T, series string) float64 {
	t.Helper()
	for line := range strings.Lines(p.selfMetrics(t)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), series+" "); ok {
			v, err := strconv.ParseFloat(value, 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	return 0
}

// without returns the lines that are not in others, which must be sorted.
func without(lines, others []string) []string {
	return slices.DeleteFunc(slices.Clone(lines), func(line string) bool {
		_, found := slices.BinarySearch(others, line)
		return found
	})
}
