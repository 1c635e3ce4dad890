package main

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const briefPod = `namespace="default",pod="brief",`

// TestHoldDeleted: the last state of a pod that lives between two scrapes is on the next one, and gone after it; without
// the flag nobody sees it. A pod whose last state was scraped already goes at once.
func TestHoldDeleted(t *testing.T) {
	c, api := cluster(t)
	held, plain := start(t, api, "--resources=pods", "--metric.hold-deleted=1h"), start(t, api, "--resources=pods")
	before := held.page(t)
	if got := plain.page(t); !slices.Equal(got, before) {
		t.Fatal("the pages differ while nothing is deleted")
	}
	events := 0
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		events++
	}
	podsRead := map[*program]int{held: held.podsRead(t), plain: plain.podsRead(t)}
	haveRead := func() {
		t.Helper()
		for p, since := range podsRead {
			eventually(t, "all events are read", func() bool { return p.podsRead(t) == since+events })
		}
	}

	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "brief"}}
	do(c.Put(pod))
	do(c.Modify(pod, func() { pod.Status.Phase = corev1.PodSucceeded }))
	do(c.Delete(pod))
	haveRead()
	if got := plain.page(t); !slices.Equal(got, before) {
		t.Errorf("without the flag %q is on the page", without(got, before))
	}
	lines := held.page(t)
	if added := without(lines, before); !slices.Contains(added, `kube_pod_status_phase{`+briefPod+`uid="`+string(pod.UID)+`",phase="Succeeded"} 1`+"\n") ||
		slices.ContainsFunc(added, func(line string) bool { return !strings.Contains(line, briefPod) }) {
		t.Errorf("the next scrape sees %q of a pod that was deleted", added)
	}
	eventually(t, "the pod is gone once it was seen", func() bool { return slices.Equal(held.page(t), before) })

	pod.UID = ""
	do(c.Put(pod))
	haveRead()
	if added := without(held.page(t), before); len(added) == 0 {
		t.Error("a pod that lives is not on the page")
	}
	do(c.Delete(pod))
	haveRead()
	if got := held.page(t); !slices.Equal(got, before) {
		t.Errorf("%q is still there, though the scrape before has seen it", without(got, before))
	}
}

// podsRead returns how many pods the program has read from its API server, each event counted.
func (p *program) podsRead(t *testing.T) int {
	t.Helper()
	return int(p.selfValue(t, `statefleet_watch_objects_total{resource="pods",shard="owned"}`))
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
