package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"

	"github.com/statefleet/statefleet/benchmarks/exposition"
	"github.com/statefleet/statefleet/benchmarks/selfmetrics"
	"github.com/statefleet/statefleet/test/fleet"
	"github.com/statefleet/statefleet/test/kubelet"
	"github.com/statefleet/statefleet/test/seed"
)

// run runs the pods, and compares what they serve with the cluster.
func (i *installation) run(t *testing.T) {
	k := kubelet.Run(t, kubelet.Options{
		Client: i.cluster.Client(), Namespace: namespace, Selector: fleetPods, Node: i.nodes[1], OwnPorts: true,
		Flags: func(p *corev1.Pod) []string {
			return []string{"--kubeconfig=" + i.kubeconfigs[p.Spec.ServiceAccountName]}
		},
	})
	fleet.Eventually(t, fmt.Sprintf("%d pods are Ready", i.pods), func(ctx context.Context) error { return i.areReady(ctx, i.pods) })
	token := ""
	if i.has("--auth-filter") {
		token = i.reader(t)
	}
	replicas := func() (all []kubelet.Replica) {
		for _, r := range k.Running() {
			all = append(all, kubelet.Replica{Pod: r.Pod, Replica: r.Bearing(token)})
		}
		return all
	}
	fleet.Eventually(t, "the fleet is coordinated", func(ctx context.Context) error { return areCoordinated(ctx, replicas()) })
	fleet.Eventually(t, "each object is on one page", func(ctx context.Context) error { return i.serveEverything(ctx, replicas()) })
	for _, r := range replicas() {
		i.check(t, r)
	}
}

func (i *installation) areReady(ctx context.Context, n int) error {
	pods, err := i.cluster.Client().CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: fleetPods})
	if err != nil {
		return err
	}
	ready := 0
	for _, pod := range pods.Items {
		for _, condition := range pod.Status.Conditions {
			if condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue {
				ready++
			}
		}
	}
	if ready != n || len(pods.Items) != n {
		return fmt.Errorf("%d of %d", ready, len(pods.Items))
	}
	return nil
}

// areCoordinated asks those that belong to the StatefulSet. They may have been refused while the API server did not know its
// new roles yet.
func areCoordinated(ctx context.Context, replicas []kubelet.Replica) error {
	for _, r := range replicas {
		if strings.Contains(r.Pod, "-node-") {
			continue
		}
		self, err := r.SelfMetrics(ctx)
		if err != nil {
			return err
		}
		if n, _ := self.Sum("statefleet_coordination", map[string]string{"state": "coordinated"}); n != 1 {
			return fmt.Errorf("%s is not", r.Pod)
		}
	}
	return nil
}

// serveEverything compares what the cluster has with what is on the pages.
func (i *installation) serveEverything(ctx context.Context, replicas []kubelet.Replica) error {
	pages := map[string]exposition.Page{}
	for _, r := range replicas {
		page, err := r.Page(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", r.Pod, err)
		}
		pages[r.Pod] = page
	}
	kinds := 0
	for _, kind := range seed.Kinds() {
		if chosen := i.value("--resources"); chosen != nil && !slices.Contains(chosen, kind.Resource) {
			continue
		}
		list, err := dynamic.NewForConfigOrDie(i.cluster.Config()).Resource(kind).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		want := map[string]bool{}
		for _, object := range list.Items {
			if i.exposes(object.GetNamespace()) {
				want[strings.TrimPrefix(object.GetNamespace()+"/"+object.GetName(), "/")] = true
			}
		}
		if len(want) > 0 {
			kinds++
		}
		found := map[string]bool{}
		for pod, page := range pages {
			for object := range objects(page, kind.Resource) {
				if found[object] {
					return fmt.Errorf("%s: %s %s is on another page, too", pod, kind.Resource, object)
				}
				found[object] = true
			}
		}
		if !maps.Equal(found, want) {
			return fmt.Errorf("%s: %d on the pages, %d in the cluster", kind.Resource, len(found), len(want))
		}
	}
	if kinds == 0 {
		return errors.New("nothing to compare")
	}
	if i.value("--custom-resource-state-config-file") != nil {
		return onePage(pages, "kube_customresource_ready")
	}
	return nil
}

// onePage tells whether a family is on one page.
func onePage(pages map[string]exposition.Page, family string) error {
	n := 0
	for _, page := range pages {
		for name := range page.Labels {
			if name == family {
				n++
			}
		}
	}
	if n != 1 {
		return fmt.Errorf("%s has %d samples", family, n)
	}
	return nil
}

// exposes tells whether objects of a namespace must be on the page.
func (i *installation) exposes(namespace string) bool {
	if namespace == "" {
		return true
	}
	only := i.value("--namespaces")
	return (only == nil || slices.Contains(only, namespace)) && !slices.Contains(i.value("--namespaces-denylist"), namespace)
}

// check looks at what a replica says of itself: that it may read all that it is told to, and does what its flags say.
func (i *installation) check(t *testing.T, r kubelet.Replica) {
	t.Helper()
	self, err := r.SelfMetrics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, phase := range []string{"forbidden", "absent", "pending"} {
		if n, _ := self.Sum(selfmetrics.ResourcePhase, map[string]string{"phase": phase}); n != 0 {
			t.Errorf("%s: %v kinds are %s", r.Pod, n, phase)
		}
	}
	if n, _ := self.Sum(selfmetrics.ResourcePhase, map[string]string{"phase": "synced"}); n == 0 {
		t.Errorf("%s: no kind is synced", r.Pod)
	}
	want := 0.0
	if i.has("--shard.standby") {
		want = 1
	}
	if n, _ := self.Sum("statefleet_standby_holding_neighbour", nil); n != want {
		t.Errorf("%s: stands by: %v, want %v", r.Pod, n, want)
	}
	if i.has("--auth-filter") {
		guest := i.cluster.BoundToken(t, "monitoring", "guest", "view")
		for _, url := range []string{r.URL + "/metrics", r.Telemetry + "/metrics"} {
			newCallers(t).want(t, "no one", "", http.StatusUnauthorized, url)
			newCallers(t).want(t, "a guest", guest, http.StatusForbidden, url)
		}
	}
}
