package replica

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/resources"
)

func TestReadinessWaitsForAddedKind(t *testing.T) {
	w := populatedWorld(t)
	hold := make(chan struct{})
	w.intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/jobs") {
			select {
			case <-hold:
			case <-r.Context().Done():
			}
		}
		return false
	})
	all := builtin(t, resources.All())
	var pods, both []Kind
	for _, k := range all {
		if k.Name == "pods" {
			pods = append(pods, k)
		}
		if k.Name == "pods" || k.Name == "jobs" {
			both = append(both, k)
		}
	}
	r := w.start(func(o *Options) { o.Kinds = pods })
	r.Follow(plan(1, 1, 2))
	r.waitHolds(plan(1, 1, 2))
	r.SetKinds(both)
	eventually(t, "the plan is no longer held", func() bool { return !r.Holds(plan(1, 1, 2)).All })
	r.Follow(plan(1, 2, 2))
	eventually(t, "readiness waits for jobs", func() bool { return r.Ready() != nil && r.Ready().Error() == "not synced yet: jobs" })
	close(hold)
	r.waitReady()
	r.wantServes(1, 2)
}

func TestReplicaWaitsForKindsThatFollow(t *testing.T) {
	t.Parallel()
	w := populatedWorld(t)
	var requests atomic.Int64
	w.intercept(func(http.ResponseWriter, *http.Request) bool {
		requests.Add(1)
		return false
	})
	var pods []Kind
	r := w.start(func(o *Options) {
		o.only("pods", "nodes")
		pods = slices.DeleteFunc(slices.Clone(o.Kinds), func(k Kind) bool { return k.Name != "pods" })
		o.KindsFollow = true
	})
	r.assign(0, 1)
	time.Sleep(4 * syncPoll)
	if err := r.Ready(); !errors.Is(err, errKindsUnknown) || requests.Load() > 0 {
		t.Errorf("before the kinds are known: got error %v after %d requests, want %v after none", err, requests.Load(), errKindsUnknown)
	}
	r.SetKinds(pods)
	r.waitReady()
	r.wantServes(0, 1)
	if names := r.Resources(); !slices.Equal(names, []string{"pods"}) {
		t.Errorf("got kinds %q, want pods", names)
	}
}

func TestSetKinds(t *testing.T) {
	w := newWorld(t)
	w.pod(1, "n0")
	w.put(&batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "ns0", Name: "j", UID: "j"}})
	all := builtin(t, resources.All())
	only := func(names ...string) []Kind {
		return slices.DeleteFunc(slices.Clone(all), func(k Kind) bool { return !slices.Contains(names, k.Name) })
	}
	has := func(r *run, prefix string) bool {
		return slices.ContainsFunc(r.samples(), func(l string) bool { return strings.HasPrefix(l, prefix) })
	}
	r := w.start(func(o *Options) { o.Kinds = only("pods") })
	r.assign(0, 1)
	r.waitReady()
	rendered := r.value("statefleet_updates_total", "resource", "pods")
	r.SetKinds(only("pods", "jobs"))
	eventually(t, "the job", func() bool {
		if !has(r, "kube_pod_info") || r.Ready() != nil {
			t.Fatal("pods are not served while jobs are listed")
		}
		return has(r, "kube_job_info")
	})
	if now := r.value("statefleet_updates_total", "resource", "pods"); now != rendered {
		t.Errorf("%v updates of pods, want %v: the pods were rendered again", now, rendered)
	}
	r.assign(0, 2)
	r.SetKinds(only("jobs"))
	eventually(t, "no pods", func() bool { return !has(r, "kube_pod_info") })
}

// The budget of raw text refers to all stores with raw text.
func TestBudgetForgetsStoresOfRemovedKinds(t *testing.T) {
	w := newWorld(t)
	w.pod(1, "n0")
	w.put(&batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "ns0", Name: "j", UID: "j"}})
	kinds := slices.DeleteFunc(builtin(t, resources.All()), func(k Kind) bool { return k.Name != "pods" && k.Name != "jobs" })
	r := w.start(func(o *Options) { o.Kinds = kinds })
	r.assign(0, 1)
	r.waitReady()
	r.SetKinds(slices.DeleteFunc(slices.Clone(kinds), func(k Kind) bool { return k.Name == "pods" }))
	eventually(t, "only the text of jobs is held", func() bool {
		held := r.current()
		return len(held) == 1 && r.budget.RawBytes() == held[0].store.Stats().RawBytes
	})
}

// TestKindIsAddedWhileTheNeighbourIsServed adds a kind, such as that of a new CustomResourceDefinition,
// to a replica that serves two shards of three.
func TestKindIsAddedWhileTheNeighbourIsServed(t *testing.T) {
	t.Parallel()
	w := populatedWorld(t)
	for i := range podCount {
		w.put(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: string(uid(i)), UID: uid(i)}})
	}
	var both []Kind
	r := w.start(func(o *Options) {
		o.only("pods", "nodes")
		both = slices.Clone(o.Kinds)
		podsOnly(o)
	})
	r.Follow(standby(true, false))
	r.waitReady()
	r.SetKinds(both)
	nodes := func() (n int) {
		for _, line := range r.samples() {
			if strings.HasPrefix(line, "kube_node_info{") {
				n++
			}
		}
		return n
	}
	pods := len(podsIn(r.samples())) // they have the UIDs of the nodes
	eventually(t, "the nodes of both shards", func() bool { return nodes() == pods })
	r.Follow(standby(false, false))
	r.waitServes(3)
	eventually(t, "the nodes of one shard", func() bool { return nodes() == len(podsIn(r.samples())) })
}
