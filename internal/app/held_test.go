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

// briefPod is a pod of the simulated cluster that lives for a moment.
func briefPod() *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "brief"}}
}

// The last state of a pod that lives between two scrapes is on the page for the given time, however often it was scraped: the other
// server of a pair, a HEAD request, or a scrape that was cut off.
func TestDeletedPodStaysOnThePageWhoeverScrapes(t *testing.T) {
	c, api := exporter.Cluster(t)
	p := start(t, api, "--resources=pods", "--metric.hold-deleted=1h")
	before := p.Samples(t)
	pod := briefPod()
	p.reads(t, 3, func() error {
		return errors.Join(c.Put(pod), c.Modify(pod, func() { pod.Status.Phase = corev1.PodSucceeded }), c.Delete(pod))
	})
	labels := `{namespace="default",pod="brief",uid="` + string(pod.UID) + `",`
	head, err := http.NewRequestWithContext(t.Context(), http.MethodHead, "http://"+p.Metrics+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := p.Client.Do(head)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	for range 3 {
		added := without(p.Samples(t), before)
		if !slices.Contains(added, "kube_pod_status_phase"+labels+`phase="Succeeded"} 1`+"\n") {
			t.Errorf("the page lacks the last phase of the pod: %q", added)
		}
		if slices.ContainsFunc(added, func(line string) bool { return !strings.Contains(line, labels[:len(labels)-1]) }) {
			t.Errorf("there is more than that pod: %q", added)
		}
	}
}

// Without the flag a pod that is gone goes without a scrape.
func TestDeletedIsNotHeldByDefault(t *testing.T) {
	c, api := exporter.Cluster(t)
	p := start(t, api, "--resources=pods")
	before, pods := p.Samples(t), p.selfValue(t, podsServed)
	pod := briefPod()
	p.reads(t, 2, func() error { return errors.Join(c.Put(pod), c.Delete(pod)) })
	exporter.Eventually(t, "the pod is gone", func() bool { return p.selfValue(t, podsServed) == pods })
	if got := p.Samples(t); !slices.Equal(got, before) {
		t.Errorf("%q is on the page", without(got, before))
	}
}

// Series of the program's metrics about itself.
const (
	podsServed = `statefleet_objects{resource="pods"}`
	podsRead   = `statefleet_watch_objects_total{resource="pods",shard="owned"}`
)

// reads makes changes to pods and waits until the program has read that many events of them.
func (p *program) reads(t *testing.T, events float64, change func() error) {
	t.Helper()
	before := p.selfValue(t, podsRead)
	if err := change(); err != nil {
		t.Fatal(err)
	}
	exporter.Eventually(t, "the events are read", func() bool { return p.selfValue(t, podsRead) == before+events })
}

// selfValue returns the value of a series of the program's metrics about itself; 0 when it is not there.
func (p *program) selfValue(t *testing.T, series string) float64 {
	t.Helper()
	for line := range strings.Lines(p.self(t)) {
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

// without returns the lines that others lack.
func without(lines, others []string) []string {
	return slices.DeleteFunc(slices.Clone(lines), func(line string) bool {
		_, found := slices.BinarySearch(others, line)
		return found
	})
}
