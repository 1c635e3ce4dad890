package e2e

import (
	"maps"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/test/controlplane"
	"github.com/statefleet/statefleet/test/fleet"
)

// extensions configures metrics of kinds that have no CustomResourceDefinition, some with selectors. Their plurals and
// scopes come from discovery.
const extensions = `{kind: CustomResourceStateMetrics, spec: {resources: [
{groupVersionKind: {group: "", version: v1, kind: Node}, labelSelector: "pool in (a,b)", metricNamePrefix: own, labelsFromPath: {node: [metadata, name]},
 metrics: [{name: node_pod_cidr, each: {type: Info, info: {labelsFromPath: {cidr: [spec, podCIDR]}}}}]},
{groupVersionKind: {group: "", version: v1, kind: Pod}, metricNamePrefix: own, labelsFromPath: {pod: [metadata, name]},
 metrics: [{name: pod_grace_seconds, seriesLimit: 2, each: {type: Gauge, gauge: {path: [spec, terminationGracePeriodSeconds]}}}]},
{groupVersionKind: {group: "", version: v1, kind: Pod}, fieldSelector: "spec.nodeName=n1", labelSelector: "app", metricNamePrefix: own,
 labelsFromPath: {pod: [metadata, name]},
 metrics: [{name: pod_priority, each: {type: Gauge, gauge: {path: [spec, priority]}}}]},
{groupVersionKind: {group: "", version: v1, kind: Secret}, fieldSelector: "metadata.namespace=default", metricNamePrefix: own,
 labelsFromPath: {secret: [metadata, name]}, metrics: [{name: secret_type, each: {type: Info, info: {labelsFromPath: {type: [type]}}}}]},
{groupVersionKind: {group: storage.k8s.io, version: v1, kind: CSINode}, metricNamePrefix: own, labelsFromPath: {node: [metadata, name]},
 metrics: [{name: csinode_limit, each: {type: Gauge, gauge: {path: [spec, drivers], valueFrom: [allocatable, count], labelsFromPath: {driver: [name]}}}}]},
{groupVersionKind: {group: apiregistration.k8s.io, version: v1, kind: APIService}, fieldSelector: "metadata.name=v1.apps", metricNamePrefix: own,
 labelsFromPath: {api: [metadata, name]}, metrics: [{name: api_group_priority, each: {type: Gauge, gauge: {path: [spec, groupPriorityMinimum]}}}]},
{groupVersionKind: {group: absent.example.com, version: v1, kind: Absent}, metricNamePrefix: own,
 metrics: [{name: absent, each: {type: Gauge, gauge: {path: [spec]}}}]}]}}`

// TestExtensionsOfCustomResourceState checks with a real API server the selectors, media types and discovery that
// entries of built-in kinds need.
func TestExtensionsOfCustomResourceState(t *testing.T) {
	if _, err := fleet.Build(); err != nil {
		t.Fatal(err)
	}
	cluster := controlplane.Start(t, controlplane.Options{})
	client := cluster.Client()
	for name, pool := range map[string]string{"n1": "a", "n2": "b", "n3": "c"} {
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"pool": pool}}, Spec: corev1.NodeSpec{PodCIDR: "10.0.0.0/24"}}
		if _, err := client.CoreV1().Nodes().Create(t.Context(), node, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for name, node := range map[string]string{"p1": "n1", "p2": "n2", "p3": "n1"} {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}}
		pod.Spec = corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: "c", Image: "i"}}}
		if name != "p3" {
			pod.Labels = map[string]string{"app": name}
		}
		if _, err := client.CoreV1().Pods("default").Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	csiNode := &storagev1.CSINode{ObjectMeta: metav1.ObjectMeta{Name: "n1"}, Spec: storagev1.CSINodeSpec{Drivers: []storagev1.CSINodeDriver{
		{Name: "disk.example.com", NodeID: "1", Allocatable: &storagev1.VolumeNodeResources{Count: new(int32(25))}},
	}}}
	if _, err := client.StorageV1().CSINodes().Create(t.Context(), csiNode, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "sealed"}, Type: "example.com/sealed", StringData: map[string]string{"type": "value"}}
	if _, err := client.CoreV1().Secrets("default").Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	kubeconfig := cluster.Kubeconfig(t, cluster.BoundToken(t, "default", "reader", "cluster-admin"))
	replica := fleet.Start(t, "--kubeconfig="+kubeconfig, "--custom-resource-state-only", "--custom-resource-state-config="+extensions)
	replica.WaitReady(t)
	labels := func(group, kind string) string {
		return `customresource_group="` + group + `",customresource_kind="` + kind + `",customresource_version="v1",`
	}
	page, grace := replica.Scrape(t), 0
	for series, value := range page.Samples {
		if strings.HasPrefix(series, "own_pod_grace_seconds{") {
			if grace++; value != "30" {
				t.Errorf("%s: got %s, want 30", series, value)
			}
			delete(page.Samples, series)
		}
	}
	if grace != 2 {
		t.Errorf("got %d samples of own_pod_grace_seconds, want 2, its seriesLimit", grace)
	}
	want := map[string]string{
		`own_node_pod_cidr{cidr="10.0.0.0/24",` + labels("", "Node") + `node="n1"}`:                                             "1",
		`own_node_pod_cidr{cidr="10.0.0.0/24",` + labels("", "Node") + `node="n2"}`:                                             "1",
		`own_pod_priority{` + labels("", "Pod") + `pod="p1"}`:                                                                   "0",
		`own_secret_type{` + labels("", "Secret") + `secret="sealed",type="example.com/sealed"}`:                                "1",
		`own_csinode_limit{` + labels("storage.k8s.io", "CSINode") + `driver="disk.example.com",node="n1"}`:                     "25",
		`own_api_group_priority{api="v1.apps",` + strings.TrimSuffix(labels("apiregistration.k8s.io", "APIService"), ",") + `}`: "17800",
	}
	if !maps.Equal(page.Samples, want) {
		t.Errorf("got series\n%s\nwant\n%s", strings.Join(slices.Sorted(maps.Keys(page.Samples)), "\n"), strings.Join(slices.Sorted(maps.Keys(want)), "\n"))
	}
	if log := replica.Log(); !strings.Contains(log, "absent.example.com/v1 Absent") {
		t.Errorf("the log does not name the kind that does not exist:\n%s", log)
	}
}
