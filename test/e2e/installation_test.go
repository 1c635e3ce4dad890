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

// run runs the pods, and compares their expositions with the cluster.
func (i *installation) run(t *testing.T) {
	k := kubelet.Run(t, kubelet.Options{
		Client: i.cluster.Client(), Namespace: namespace, Selector: fleetPods, Node: i.nodes[1], OwnPorts: true,
		Flags: func(p *corev1.Pod) []string {
			return []string{"--kubeconfig=" + i.kubeconfigs[p.Spec.ServiceAccountName]}
		},
	})
	fleet.Eventually(t, fmt.Sprintf("%d pods are Ready", i.pods), func(ctx context.Context) error { return i.checkReady(ctx, i.pods) })
	token := ""
	if i.hasFlag("--auth-filter") {
		token = i.readerToken(t)
	}
	replicas := func() (all []kubelet.Replica) {
		for _, r := range k.Running() {
			all = append(all, kubelet.Replica{Pod: r.Pod, Replica: r.Bearing(token)})
		}
		return all
	}
	fleet.Eventually(t, "the fleet is coordinated", func(ctx context.Context) error { return checkCoordinated(ctx, replicas()) })
	fleet.Eventually(t, "each object is in exactly one exposition", func(ctx context.Context) error { return i.checkExpositions(ctx, replicas()) })
	for _, r := range replicas() {
		i.check(t, r)
	}
}

func (i *installation) checkReady(ctx context.Context, n int) error {
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
		return fmt.Errorf("%d of %d pods are Ready, want %d", ready, len(pods.Items), n)
	}
	return nil
}

// checkCoordinated returns an error unless all replicas of the StatefulSet are coordinated. The API server may deny
// their first requests, until it has loaded the new roles.
func checkCoordinated(ctx context.Context, replicas []kubelet.Replica) error {
	for _, r := range replicas {
		if strings.Contains(r.Pod, "-node-") {
			continue
		}
		self, err := r.SelfMetrics(ctx)
		if err != nil {
			return err
		}
		if n := self.Value("statefleet_coordination", "state", "coordinated"); n != 1 {
			return fmt.Errorf("%s is not coordinated", r.Pod)
		}
	}
	return nil
}

// checkExpositions returns an error unless each object of the cluster is in exactly one exposition, and no other object
// in any.
func (i *installation) checkExpositions(ctx context.Context, replicas []kubelet.Replica) error {
	all := map[string]exposition.Exposition{}
	for _, r := range replicas {
		metrics, err := r.Metrics(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", r.Pod, err)
		}
		all[r.Pod] = metrics
	}
	kinds := 0
	for _, kind := range seed.Kinds() {
		if chosen := i.flagValues("--resources"); chosen != nil && !slices.Contains(chosen, kind.Resource) {
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
		for pod, metrics := range all {
			for object := range objects(metrics, kind.Resource) {
				if found[object] {
					return fmt.Errorf("%s: %s %s is also in another exposition", pod, kind.Resource, object)
				}
				found[object] = true
			}
		}
		if !maps.Equal(found, want) {
			return fmt.Errorf("%s: got %d objects in the expositions, want %d", kind.Resource, len(found), len(want))
		}
	}
	if kinds == 0 {
		return errors.New("the cluster has no objects to compare")
	}
	if i.flagValues("--custom-resource-state-config-file") != nil {
		const family = "kube_customresource_ready"
		samples := 0
		for _, metrics := range all {
			_, n := metrics.Sum(family, nil)
			samples += n
		}
		if samples != 1 {
			return fmt.Errorf("%s: got %d samples, want 1", family, samples)
		}
	}
	return nil
}

// exposes reports whether objects of a namespace must be exposed.
func (i *installation) exposes(namespace string) bool {
	if namespace == "" {
		return true
	}
	only := i.flagValues("--namespaces")
	return (only == nil || slices.Contains(only, namespace)) && !slices.Contains(i.flagValues("--namespaces-denylist"), namespace)
}

// check checks by the self-metrics of a replica that it may read all configured kinds, and that its flags took effect.
func (i *installation) check(t *testing.T, r kubelet.Replica) {
	t.Helper()
	self, err := r.SelfMetrics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, phase := range []string{"forbidden", "absent", "pending"} {
		if n := self.Value(selfmetrics.ResourcePhase, "phase", phase); n != 0 {
			t.Errorf("%s: %v kinds are %s, want 0", r.Pod, n, phase)
		}
	}
	if n := self.Value(selfmetrics.ResourcePhase, "phase", "synced"); n == 0 {
		t.Errorf("%s: no kind is synced", r.Pod)
	}
	want := 0.0
	if i.hasFlag("--shard.standby") {
		want = 1
	}
	if n := self.Value("statefleet_standby_holding_neighbour"); n != want {
		t.Errorf("%s: statefleet_standby_holding_neighbour: got %v, want %v", r.Pod, n, want)
	}
	if i.hasFlag("--auth-filter") {
		guest := i.cluster.BoundToken(t, "monitoring", "guest", "view")
		for _, url := range []string{r.URL + "/metrics", r.Telemetry + "/metrics"} {
			wantStatus(t, r.Replica, "no token", "", http.StatusUnauthorized, url)
			wantStatus(t, r.Replica, "a guest", guest, http.StatusForbidden, url)
		}
	}
}
