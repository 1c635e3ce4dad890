package test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
)

func services(all objects) map[string]*corev1.Service {
	found := map[string]*corev1.Service{}
	for _, object := range all {
		if s, ok := object.(*corev1.Service); ok {
			found[s.Name] = s
		}
	}
	return found
}

// TestEachReplicaHasAServiceOfTheTypeGiven: an address leads to one shard and always to the same one. The headless
// Service stays, because the StatefulSet needs it.
func TestEachReplicaHasAServiceOfTheTypeGiven(t *testing.T) {
	found := services(rendered(t, `{replicas: 2, prometheusScrape: true, selfMonitor: {telemetryNodePort: 30100},
		service: {type: LoadBalancer, nodePort: 30080, loadBalancerSourceRanges: [192.0.2.0/24], annotations: {a: b,
			prometheus.io/scrape: "true"}}}`))
	if names := slices.Sorted(maps.Keys(found)); !slices.Equal(names, []string{"statefleet", "statefleet-0",
		"statefleet-1"}) {
		t.Fatalf("Services %q", names)
	}
	if headless := found["statefleet"]; headless.Spec.ClusterIP != "None" || headless.Spec.Type != "" ||
		headless.Annotations["prometheus.io/scrape"] != "true" {
		t.Errorf("the headless Service: %+v", headless)
	}
	for i := range 2 {
		s := found[fmt.Sprintf("statefleet-%d", i)]
		if s.Spec.Type != corev1.ServiceTypeLoadBalancer ||
			s.Spec.Selector["statefulset.kubernetes.io/pod-name"] != s.Name ||
			s.Spec.LoadBalancerSourceRanges[0] != "192.0.2.0/24" {
			t.Errorf("%s: %+v", s.Name, s.Spec)
		}
		if page, own := s.Spec.Ports[0], s.Spec.Ports[1]; page.NodePort != int32(30080+i) ||
			own.NodePort != int32(30100+i) || page.TargetPort.StrVal != "http-metrics" {
			t.Errorf("%s: ports %+v", s.Name, s.Spec.Ports)
		}
		if !maps.Equal(s.Annotations, map[string]string{"a": "b"}) {
			t.Errorf("%s: annotations %v, want no second scrape", s.Name, s.Annotations)
		}
	}
}

// TestServiceMonitorFindsEachReplicaOnce: it selects the headless Service alone.
func TestServiceMonitorFindsEachReplicaOnce(t *testing.T) {
	all := rendered(t, `{replicas: 2, service: {type: NodePort}, prometheus: {monitor: {enabled: true,
		kind: ServiceMonitor}}}`)
	selector := labels.SelectorFromSet(find[*monitoringv1.ServiceMonitor](t, all, "statefleet").Spec.Selector.MatchLabels)
	for name, s := range services(all) {
		if got, want := selector.Matches(labels.Set(s.Labels)), name == "statefleet"; got != want {
			t.Errorf("Service %s is selected: %t", name, got)
		}
	}
}

func TestServicesOfBothIPFamilies(t *testing.T) {
	found := services(rendered(t, `{replicas: 1, service: {type: NodePort, ipDualStack: {enabled: true,
		ipFamilies: [IPv4, IPv6], ipFamilyPolicy: RequireDualStack}}}`))
	for name, s := range found {
		if policy := s.Spec.IPFamilyPolicy; policy == nil || *policy != corev1.IPFamilyPolicyRequireDualStack ||
			!slices.Equal(s.Spec.IPFamilies, []corev1.IPFamily{"IPv4", "IPv6"}) {
			t.Errorf("%s: %+v", name, s.Spec)
		}
	}
	if len(found) != 2 {
		t.Errorf("%d Services", len(found))
	}
}

// TestSelectorOverrideSelectsThePods: whatever selects pods selects by it, and the pods have it.
func TestSelectorOverrideSelectsThePods(t *testing.T) {
	all := rendered(t, `{selectorOverride: {team: a, app.kubernetes.io/component: exporter},
		prometheus: {monitor: {enabled: true, kind: ServiceMonitor}}}`)
	want := map[string]string{"team": "a", "app.kubernetes.io/component": "exporter"}
	set := workload(t, all)
	if !maps.Equal(set.Spec.Selector.MatchLabels, want) ||
		!labels.SelectorFromSet(want).Matches(labels.Set(set.Spec.Template.Labels)) {
		t.Errorf("the StatefulSet selects %v, its pods have %v", set.Spec.Selector.MatchLabels, set.Spec.Template.Labels)
	}
	service := services(all)["statefleet"]
	if !maps.Equal(service.Spec.Selector, want) {
		t.Errorf("the Service selects %v", service.Spec.Selector)
	}
	monitor := find[*monitoringv1.ServiceMonitor](t, all, "statefleet").Spec.Selector.MatchLabels
	if !labels.SelectorFromSet(monitor).Matches(labels.Set(service.Labels)) {
		t.Errorf("the ServiceMonitor selects %v, the Service has %v", monitor, service.Labels)
	}
}
