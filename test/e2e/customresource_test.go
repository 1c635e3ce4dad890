package e2e

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/statefleet/statefleet/test/controlplane"
	"github.com/statefleet/statefleet/test/fleet"
	"github.com/statefleet/statefleet/test/manifest"
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

// extended has the objects that extensions describes.
const extended = `---
{apiVersion: v1, kind: Node, metadata: {name: n1, labels: {pool: a}}, spec: {podCIDR: 10.0.0.0/24}}
---
{apiVersion: v1, kind: Node, metadata: {name: n2, labels: {pool: b}}, spec: {podCIDR: 10.0.0.0/24}}
---
{apiVersion: v1, kind: Node, metadata: {name: n3, labels: {pool: c}}, spec: {podCIDR: 10.0.0.0/24}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: default, name: p1, labels: {app: p1}}, spec: {nodeName: n1, containers: [{name: c, image: i}]}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: default, name: p2, labels: {app: p2}}, spec: {nodeName: n2, containers: [{name: c, image: i}]}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: default, name: p3}, spec: {nodeName: n1, containers: [{name: c, image: i}]}}
---
{apiVersion: storage.k8s.io/v1, kind: CSINode, metadata: {name: n1},
  spec: {drivers: [{name: disk.example.com, nodeID: "1", allocatable: {count: 25}}]}}
---
{apiVersion: v1, kind: Secret, metadata: {namespace: default, name: sealed}, type: example.com/sealed, stringData: {type: value}}
`

// TestExtensionsOfCustomResourceState checks with a real API server the selectors, media types and discovery that
// entries of built-in kinds need.
func TestExtensionsOfCustomResourceState(t *testing.T) {
	if _, err := fleet.Build(); err != nil {
		t.Fatal(err)
	}
	cluster := controlplane.Start(t, controlplane.Options{})
	objects, err := manifest.Decode(strings.NewReader(extended))
	if err != nil {
		t.Fatal(err)
	}
	applyObjects(t, cluster, objects)
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
