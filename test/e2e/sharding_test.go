package e2e

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"

	"github.com/statefleet/statefleet/benchmarks/exposition"
	"github.com/statefleet/statefleet/benchmarks/selfmetrics"
	"github.com/statefleet/statefleet/test/fleet"
	"github.com/statefleet/statefleet/test/seed"
)

func (w *world) shardsTogetherAreTheWhole(t *testing.T) {
	whole, parts := w.startReplica(t), w.startShards(t)
	whole.WaitReady(t)
	waitForEqualUnion(t, whole, parts)

	self, err := whole.SelfMetrics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if forbidden, n := self.Sum(selfmetrics.ResourcePhase, map[string]string{"phase": "forbidden"}); forbidden != 0 || n < len(seed.Kinds()) {
		t.Errorf("%v of %d kinds are forbidden, want 0 of at least %d", forbidden, n, len(seed.Kinds()))
	}
	metrics := whole.Scrape(t)
	for _, kind := range seed.Kinds() {
		if count := len(objects(metrics, kind.Resource)); count != w.count(t, kind.Resource) {
			t.Errorf("%s: got %d objects in the exposition, want %d", kind.Resource, count, w.count(t, kind.Resource))
		}
	}
	owners := map[string]int{}
	for ordinal, part := range parts {
		metrics := part.Scrape(t)
		for _, kind := range seed.Kinds() {
			for object := range objects(metrics, kind.Resource) {
				key := kind.Resource + " " + object
				if other, ok := owners[key]; ok {
					t.Errorf("%s is exposed by shards %d and %d, want one", key, other, ordinal)
				}
				owners[key] = ordinal
			}
		}
	}
}

// serverSideFilteringChangesTrafficNotExpositions compares an API server that filters by shard with one that ignores
// the shard selector, with the same objects.
func (w *world) serverSideFilteringChangesTrafficNotExpositions(t *testing.T) {
	total := w.count(t, "pods")
	filtered := w.startShards(t)
	with := podReadings(t, filtered)
	for ordinal, pods := range with {
		if pods.Ignored != 0 {
			t.Errorf("shard %d with server-side filtering: got %+v, want no ignored pods", ordinal, pods)
		}
		if pods.Owned < total/5 || pods.Owned > total/2 {
			t.Errorf("shard %d got %d of %d pods, want about a third", ordinal, pods.Owned, total)
		}
	}
	w.setServerSideSharding(t, false)
	t.Cleanup(func() { w.setServerSideSharding(t, true) })
	unfiltered := w.startShards(t)
	for ordinal, pods := range podReadings(t, unfiltered) {
		if pods.Owned+pods.Ignored != total {
			t.Errorf("shard %d without server-side filtering: got %+v, want all %d pods", ordinal, pods, total)
		}
		if pods.Owned != with[ordinal].Owned {
			t.Errorf("shard %d owns %d pods without server-side filtering, want %d as with it", ordinal, pods.Owned, with[ordinal].Owned)
		}
		waitForEqualUnion(t, filtered[ordinal], unfiltered[ordinal:ordinal+1])
	}
}

// podReadings returns the replicas' self-metrics about pods, and checks that they are consistent: each owned pod is
// decoded once and served, and no other pod is decoded.
func podReadings(t *testing.T, replicas []*fleet.Replica) []selfmetrics.Reading {
	t.Helper()
	var all []selfmetrics.Reading
	for ordinal, replica := range replicas {
		self, err := replica.SelfMetrics(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		pods := selfmetrics.ReadingOf(self, "pods")
		if pods.Decoded != pods.Owned || pods.Served != pods.Owned {
			t.Errorf("shard %d: got different numbers of owned, decoded and served pods: %+v", ordinal, pods)
		}
		if exposed := len(objects(replica.Scrape(t), "pods")); pods.Served != exposed {
			t.Errorf("shard %d reports that it serves %d pods, but its exposition has %d", ordinal, pods.Served, exposed)
		}
		all = append(all, pods)
	}
	return all
}

// setServerSideSharding restarts the API server with server-side sharding on or off.
func (w *world) setServerSideSharding(t *testing.T, on bool) {
	t.Helper()
	if err := w.cluster.SetSharding(on); err != nil {
		t.Fatal(err)
	}
}

// count returns the number of objects of a resource in the cluster.
func (w *world) count(t *testing.T, resource string) int {
	t.Helper()
	for _, kind := range seed.Kinds() {
		if kind.Resource == resource {
			list, err := dynamic.NewForConfigOrDie(w.cluster.Config()).Resource(kind).List(t.Context(), metav1.ListOptions{})
			if err != nil {
				t.Fatal(err)
			}
			return len(list.Items)
		}
	}
	t.Fatalf("resource %s is none of the seeded kinds", resource)
	return 0
}

// identifyingLabels returns, by resource, the prefix of the names of its families, followed by the labels that identify
// an object.
func identifyingLabels() map[string][]string {
	return map[string][]string{
		"cronjobs":                 {"kube_cronjob_", "namespace", "cronjob"},
		"daemonsets":               {"kube_daemonset_", "namespace", "daemonset"},
		"deployments":              {"kube_deployment_", "namespace", "deployment"},
		"horizontalpodautoscalers": {"kube_horizontalpodautoscaler_", "namespace", "horizontalpodautoscaler"},
		"jobs":                     {"kube_job_", "namespace", "job_name"},
		"limitranges":              {"kube_limitrange", "namespace", "limitrange"},
		"namespaces":               {"kube_namespace_", "namespace"},
		"nodes":                    {"kube_node_", "node"},
		"persistentvolumeclaims":   {"kube_persistentvolumeclaim_", "namespace", "persistentvolumeclaim"},
		"pods":                     {"kube_pod_", "namespace", "pod"},
		"replicasets":              {"kube_replicaset_", "namespace", "replicaset"},
		"replicationcontrollers":   {"kube_replicationcontroller_", "namespace", "replicationcontroller"},
		"resourcequotas":           {"kube_resourcequota", "namespace", "resourcequota"},
		"services":                 {"kube_service_", "namespace", "service"},
		"statefulsets":             {"kube_statefulset_", "namespace", "statefulset"},
	}
}

// objects returns the objects of a resource in an exposition, named by their identifying labels, which are joined with
// slashes.
func objects(metrics exposition.Exposition, resource string) map[string]bool {
	id, found := identifyingLabels()[resource], map[string]bool{}
	for family, labels := range metrics.Labels {
		if !strings.HasPrefix(family, id[0]) {
			continue
		}
		var names []string
		for _, label := range id[1:] {
			names = append(names, labels[label])
		}
		found[strings.Join(names, "/")] = true
	}
	return found
}
