package simulator

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// app is the i-th thing that services and policies select: a workload, or a
// name when the cluster has none.
func (g *generator) app(i int) *workload {
	if len(g.workloads) == 0 {
		return &workload{namespace: g.namespace(i), name: fmt.Sprintf("%s-%d", appName(i), i), selector: map[string]string{"app": appName(i)}, kind: "Deployment", apiVersion: appsVersion}
	}
	return g.workloads[i%len(g.workloads)]
}

// numbered tells objects of one workload apart.
func (g *generator) numbered(w *workload, i int) string {
	if round := i / max(1, len(g.workloads)); round > 0 {
		return fmt.Sprintf("%s-%d", w.name, round)
	}
	return w.name
}

func (g *generator) makeServices() {
	for i := range g.spec.Services {
		w := g.app(i)
		service := &corev1.Service{
			ObjectMeta: g.meta(w.namespace, g.numbered(w, i), w.labels),
			Spec: corev1.ServiceSpec{
				Type: corev1.ServiceTypeClusterIP, Selector: w.selector, SessionAffinity: corev1.ServiceAffinityNone,
				ClusterIP: fmt.Sprintf("172.%d.%d.%d", 16+i>>16, i>>8&0xff, i&0xff),
				Ports: []corev1.ServicePort{
					{Name: "http", Port: 80, Protocol: corev1.ProtocolTCP, TargetPort: intstr.FromString("http")},
					{Name: "grpc", Port: 9090, Protocol: corev1.ProtocolTCP, TargetPort: intstr.FromString("grpc")},
				},
			},
		}
		service.Spec.ClusterIPs = []string{service.Spec.ClusterIP}
		service.ManagedFields = []metav1.ManagedFieldsEntry{managed("helm", "v1", "", service.CreationTimestamp, ownedFields(service, "metadata", "spec"))}
		if g.chance(4) {
			service.Spec.Type = corev1.ServiceTypeLoadBalancer
			service.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{Hostname: fmt.Sprintf("lb-%d.eu-west-1.example.com", i)}}
		}
		g.put(service)
		g.putEndpoints(w, service)
	}
}

// putEndpoints makes the two views of a service's backends.
func (g *generator) putEndpoints(w *workload, service *corev1.Service) {
	httpName, port, tcp, ready := "http", int32(8080), corev1.ProtocolTCP, true
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  g.meta(w.namespace, service.Name+"-"+g.suffix(), map[string]string{discoveryv1.LabelServiceName: service.Name}),
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: &httpName, Port: &port, Protocol: &tcp}},
	}
	slice.OwnerReferences = []metav1.OwnerReference{controlledBy("v1", "Service", service.ObjectMeta)}
	var addresses []corev1.EndpointAddress
	for range max(1, min(int(w.replicas), 10)) {
		node, address := g.anyNode().name, g.address()
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
			Addresses: []string{address}, NodeName: &node, Conditions: discoveryv1.EndpointConditions{Ready: &ready, Serving: &ready},
		})
		addresses = append(addresses, corev1.EndpointAddress{IP: address, NodeName: &node})
	}
	g.put(slice)
	g.put(&corev1.Endpoints{ //nolint:staticcheck // deprecated, and exporters still watch it
		ObjectMeta: g.meta(w.namespace, service.Name, service.Labels),
		Subsets: []corev1.EndpointSubset{{ //nolint:staticcheck // as above
			Addresses: addresses, Ports: []corev1.EndpointPort{{Name: httpName, Port: port, Protocol: tcp}}, //nolint:staticcheck // as above
		}},
	})
}

func (g *generator) makeNetwork() {
	for i := range g.spec.IngressClasses {
		g.put(&networkingv1.IngressClass{ObjectMeta: g.meta("", fmt.Sprintf("edge-%d", i), nil), Spec: networkingv1.IngressClassSpec{Controller: "example.com/edge"}})
	}
	for i := range g.spec.Ingresses {
		g.put(g.ingress(i))
	}
	for i := range g.spec.NetworkPolicies {
		w := g.app(i)
		port := intstr.FromInt32(8080)
		g.put(&networkingv1.NetworkPolicy{
			ObjectMeta: g.meta(w.namespace, g.numbered(w, i), w.labels),
			Spec: networkingv1.NetworkPolicySpec{
				PodSelector: *w.labelSelector(), PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
				Ingress: []networkingv1.NetworkPolicyIngressRule{{
					From:  []networkingv1.NetworkPolicyPeer{{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "team-1"}}}},
					Ports: []networkingv1.NetworkPolicyPort{{Port: &port}},
				}},
			},
		})
	}
}

func (g *generator) ingress(i int) *networkingv1.Ingress {
	w := g.app(i)
	class, prefix, host := "edge-0", networkingv1.PathTypePrefix, fmt.Sprintf("%s-%d.example.com", w.name, i)
	backend := networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: w.name, Port: networkingv1.ServiceBackendPort{Name: "http"}}}
	ingress := &networkingv1.Ingress{
		ObjectMeta: g.meta(w.namespace, g.numbered(w, i), w.labels),
		Spec: networkingv1.IngressSpec{
			IngressClassName: &class,
			TLS:              []networkingv1.IngressTLS{{Hosts: []string{host}, SecretName: w.name + "-tls"}},
			Rules: []networkingv1.IngressRule{{Host: host, IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{
				Paths: []networkingv1.HTTPIngressPath{{Path: "/", PathType: &prefix, Backend: backend}, {Path: "/api", PathType: &prefix, Backend: backend}},
			}}}},
		},
	}
	ingress.Annotations = map[string]string{"cert-manager.io/cluster-issuer": "public", "example.com/rate-limit": fmt.Sprint(100 * (1 + i%9))}
	ingress.CreationTimestamp = g.ago(time.Hour + g.within(2000*time.Hour))
	ingress.Status.LoadBalancer.Ingress = []networkingv1.IngressLoadBalancerIngress{{IP: fmt.Sprintf("203.0.113.%d", i%250)}}
	return ingress
}
