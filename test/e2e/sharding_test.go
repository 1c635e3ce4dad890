package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"

	"github.com/statefleet/statefleet/test/controlplane"
	"github.com/statefleet/statefleet/test/fleet"
	"github.com/statefleet/statefleet/test/seed"
)

func (w *world) shardsTogetherAreTheWhole(t *testing.T) {
	whole, parts := w.one(t), w.three(t)
	whole.WaitReady(t)
	waitSame(t, whole, parts)

	page := whole.Scrape(t)
	for _, kind := range seed.Kinds() {
		if count := len(objects(page, kind.Resource)); count != w.count(t, kind.Resource) {
			t.Errorf("%s: %d objects on the page, %d in the cluster", kind.Resource, count, w.count(t, kind.Resource))
		}
	}
	owners := map[string]int{}
	for ordinal, part := range parts {
		for _, kind := range seed.Kinds() {
			for object := range objects(part.Scrape(t), kind.Resource) {
				key := kind.Resource + " " + object
				if other, ok := owners[key]; ok {
					t.Errorf("%s is on shards %d and %d", key, other, ordinal)
				}
				owners[key] = ordinal
			}
		}
	}
}

// serverSideFilteringChangesTrafficNotPages compares a server that filters with one that ignores the selector, on the
// same objects.
func (w *world) serverSideFilteringChangesTrafficNotPages(t *testing.T) {
	total := w.count(t, "pods")
	filtered := w.three(t)
	owned := 0
	for ordinal, replica := range filtered {
		mine, others := readPods(t, replica)
		if others != 0 {
			t.Errorf("shard %d got %d pods of other shards from a server that filters", ordinal, others)
		}
		if mine < total/5 || mine > total/2 {
			t.Errorf("shard %d got %d of %d pods, want about a third", ordinal, mine, total)
		}
		owned += mine
	}
	if owned != total {
		t.Errorf("the shards decoded %d pods together, the cluster has %d", owned, total)
	}

	w.filterOnServer(t, false)
	t.Cleanup(func() { w.filterOnServer(t, true) })
	unfiltered := w.three(t)
	for ordinal, replica := range unfiltered {
		mine, others := readPods(t, replica)
		if mine+others != total {
			t.Errorf("shard %d got %d+%d pods from a server that does not filter, want all %d", ordinal, mine, others, total)
		}
		if before, _ := readPods(t, filtered[ordinal]); mine != before {
			t.Errorf("shard %d decoded %d pods without the server's filter, %d with it", ordinal, mine, before)
		}
		fleet.Eventually(t, "same page with and without server-side filtering", func(ctx context.Context) error {
			return samePage(ctx, filtered[ordinal], replica)
		})
	}
}

// filterOnServer restarts the API server with server-side sharding on or off.
func (w *world) filterOnServer(t *testing.T, on bool) {
	t.Helper()
	if err := w.cluster.Restart(controlplane.Sharding(on)); err != nil {
		t.Fatal(err)
	}
}

func samePage(ctx context.Context, a, b *fleet.Replica) error {
	first, err := a.Page(ctx)
	if err != nil {
		return err
	}
	second, err := b.Page(ctx)
	if err != nil {
		return err
	}
	if diff := fleet.Diff(first, second); diff != "" {
		return fmt.Errorf("pages differ:\n%s", diff)
	}
	return nil
}

// readPods is how many pods a replica has decoded, and how many it has skipped undecoded.
func readPods(t *testing.T, replica *fleet.Replica) (owned, ignored int) {
	t.Helper()
	page, err := replica.SelfMetrics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return page.Read("pods", fleet.Owned), page.Read("pods", fleet.Ignored)
}

// count is the number of objects of a resource in the cluster.
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
	t.Fatalf("no kind %s", resource)
	return 0
}

// identity says how a family's labels name the object that it describes.
func identity() map[string][]string {
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

// objects are the objects of a resource that a page describes, by what its labels call them.
func objects(page fleet.Page, resource string) map[string]bool {
	id, found := identity()[resource], map[string]bool{}
	for family, labels := range page.Labels {
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
