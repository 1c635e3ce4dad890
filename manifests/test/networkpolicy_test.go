package test

import (
	"fmt"
	"slices"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
)

// TestNetworkPolicyAdmitsWhoItNames checks that with the example values of the chart, only clients in the namespace
// monitoring can connect, and pods can reach only the API server and DNS.
func TestNetworkPolicyAdmitsWhoItNames(t *testing.T) {
	all := renderedWith(t, values(t, "../chart/tests/values/network-policy.yaml"))
	policy := find[*networkingv1.NetworkPolicy](t, all, "statefleet")
	if in := policy.Spec.Ingress; len(in) != 1 || len(in[0].From) != 1 || in[0].From[0].NamespaceSelector.MatchLabels["kubernetes.io/metadata.name"] != "monitoring" {
		t.Errorf("got ingress %+v, want the namespace monitoring", in)
	}
	var ports []string
	for _, rule := range policy.Spec.Egress {
		for _, p := range rule.Ports {
			ports = append(ports, fmt.Sprintf("%s/%s to %d", p.Port, *p.Protocol, len(rule.To)))
		}
	}
	if want := []string{"443/TCP to 0", "6443/TCP to 0", "53/UDP to 1", "53/TCP to 1"}; !slices.Equal(ports, want) {
		t.Errorf("got egress ports %v, want %v", ports, want)
	}
	if len(policy.Spec.PolicyTypes) != 2 {
		t.Errorf("got policy types %v, want both directions", policy.Spec.PolicyTypes)
	}
}
