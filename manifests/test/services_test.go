package test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	corev1 "k8s.io/api/core/v1"
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

// TestEachReplicaHasAServiceOfTheTypeGiven checks that each replica has its own Service, so that an address always
// leads to the same shard. The headless Service remains, because the StatefulSet needs it.
func TestEachReplicaHasAServiceOfTheTypeGiven(t *testing.T) {
	found := services(rendered(t, `{replicas: 2, prometheusScrape: true, selfMonitor: {telemetryNodePort: 30100},
		service: {type: LoadBalancer, nodePort: 30080, loadBalancerSourceRanges: [192.0.2.0/24], annotations: {a: b,
			prometheus.io/scrape: "true"}}}`))
	if names := slices.Sorted(maps.Keys(found)); !slices.Equal(names, []string{"statefleet", "statefleet-0",
		"statefleet-1"}) {
		t.Fatalf("got Services %q, want the headless one and one for each replica", names)
	}
	if headless := found["statefleet"]; headless.Spec.ClusterIP != "None" || headless.Spec.Type != "" ||
		headless.Annotations["prometheus.io/scrape"] != "true" {
		t.Errorf("headless Service: got %+v, want no cluster IP and the annotation prometheus.io/scrape", headless)
	}
	for i := range 2 {
		s := found[fmt.Sprintf("statefleet-%d", i)]
		if s.Spec.Type != corev1.ServiceTypeLoadBalancer ||
			s.Spec.Selector["statefulset.kubernetes.io/pod-name"] != s.Name ||
			s.Spec.LoadBalancerSourceRanges[0] != "192.0.2.0/24" {
			t.Errorf("%s: got %+v, want a LoadBalancer for one pod", s.Name, s.Spec)
		}
		if http, telemetry := s.Spec.Ports[0], s.Spec.Ports[1]; http.NodePort != int32(30080+i) ||
			telemetry.NodePort != int32(30100+i) || http.TargetPort.StrVal != "http-metrics" {
			t.Errorf("%s: got ports %+v, want node ports %d and %d", s.Name, s.Spec.Ports, 30080+i, 30100+i)
		}
		if !maps.Equal(s.Annotations, map[string]string{"a": "b"}) {
			t.Errorf("%s: got annotations %v, want no second scrape", s.Name, s.Annotations)
		}
	}
}

// TestServiceMonitorFindsEachReplicaOnce checks that the ServiceMonitor selects only the headless Service.
func TestServiceMonitorFindsEachReplicaOnce(t *testing.T) {
	all := rendered(t, `{replicas: 2, service: {type: NodePort}, prometheus: {monitor: {enabled: true,
		kind: ServiceMonitor}}}`)
	selector := find[*monitoringv1.ServiceMonitor](t, all, "statefleet").Spec.Selector.MatchLabels
	for name, s := range services(all) {
		if got, want := selects(selector, s.Labels), name == "statefleet"; got != want {
			t.Errorf("Service %s: selected: %t, want %t", name, got, want)
		}
	}
}

func TestServicesOfBothIPFamilies(t *testing.T) {
	found := services(rendered(t, `{replicas: 1, service: {type: NodePort, ipDualStack: {enabled: true,
		ipFamilies: [IPv4, IPv6], ipFamilyPolicy: RequireDualStack}}}`))
	for name, s := range found {
		if policy := s.Spec.IPFamilyPolicy; policy == nil || *policy != corev1.IPFamilyPolicyRequireDualStack ||
			!slices.Equal(s.Spec.IPFamilies, []corev1.IPFamily{"IPv4", "IPv6"}) {
			t.Errorf("%s: got %+v, want IPv4 and IPv6", name, s.Spec)
		}
	}
	if len(found) != 2 {
		t.Errorf("got %d Services, want 2", len(found))
	}
}

// TestSelectorOverrideSelectsThePods checks that all selectors of pods have the override, and that pods have its
// labels.
func TestSelectorOverrideSelectsThePods(t *testing.T) {
	all := rendered(t, `{selectorOverride: {team: a, app.kubernetes.io/component: exporter},
		prometheus: {monitor: {enabled: true, kind: ServiceMonitor}}}`)
	want := map[string]string{"team": "a", "app.kubernetes.io/component": "exporter"}
	set := workload(t, all)
	if !maps.Equal(set.Spec.Selector.MatchLabels, want) || !selects(want, set.Spec.Template.Labels) {
		t.Errorf("got selector %v of the StatefulSet and labels %v of its pods, want the override in both",
			set.Spec.Selector.MatchLabels, set.Spec.Template.Labels)
	}
	service := services(all)["statefleet"]
	if !maps.Equal(service.Spec.Selector, want) {
		t.Errorf("got selector %v of the Service, want %v", service.Spec.Selector, want)
	}
	monitor := find[*monitoringv1.ServiceMonitor](t, all, "statefleet").Spec.Selector.MatchLabels
	if !selects(monitor, service.Labels) {
		t.Errorf("got selector %v of the ServiceMonitor, which does not match the Service with %v", monitor, service.Labels)
	}
}
