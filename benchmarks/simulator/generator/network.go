package generator

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/benchmarks/simulator"
)

// app returns the workload that the i-th service or policy selects.
func (g *generator) app(i int) *workload { return g.workloads[i%len(g.workloads)] }

// appMeta returns the metadata of the i-th object of a kind, with the app's name and
// labels. Further objects of the same app are numbered.
func (g *generator) appMeta(i int) metav1.ObjectMeta {
	w := g.app(i)
	name := w.name
	if round := i / len(g.workloads); round > 0 {
		name = numbered(name, round)
	}
	return g.meta(w.namespace, name, w.labels)
}

func (g *generator) putServices() {
	for i := range g.spec.services {
		w, service := g.app(i), manifest[*corev1.Service](g, g.appMeta(i))
		address := fmt.Sprintf("172.%d.%d.%d", 16+i>>16, i>>8&0xff, i&0xff)
		service.Spec.Selector, service.Spec.ClusterIP, service.Spec.ClusterIPs = w.selector, address, []string{address}
		service.ManagedFields = managedFieldsOf("helm", "v1", service.CreationTimestamp, service)
		if g.chance(4) {
			host := fmt.Sprintf("lb-%d.eu-west-1.example.com", i)
			service.Spec.Type = corev1.ServiceTypeLoadBalancer
			service.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{Hostname: host}}
		}
		g.put(service)
		g.putEndpoints(w, service)
	}
}

// putEndpoints generates the EndpointSlice and the Endpoints of a service.
func (g *generator) putEndpoints(w *workload, service *corev1.Service) {
	labels := map[string]string{discoveryv1.LabelServiceName: service.Name}
	slice := manifest[*discoveryv1.EndpointSlice](g, g.meta(w.namespace, service.Name+"-"+g.suffix(), labels))
	slice.OwnerReferences = []metav1.OwnerReference{controllerReference("v1", "Service", service.ObjectMeta)}
	var addresses []corev1.EndpointAddress
	for range max(1, min(int(w.replicas), 10)) {
		node, address := g.randomNode().name, g.address()
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
			Addresses: []string{address}, NodeName: &node,
			Conditions: discoveryv1.EndpointConditions{Ready: new(true), Serving: new(true)},
		})
		addresses = append(addresses, corev1.EndpointAddress{IP: address, NodeName: &node})
	}
	g.put(slice)
	meta := g.meta(w.namespace, service.Name, service.Labels)
	endpoints := manifest[*corev1.Endpoints](g, meta) //nolint:staticcheck // deprecated, and exporters still watch it
	endpoints.Subsets[0].Addresses = addresses
	g.put(endpoints)
}

func (g *generator) putNetwork() {
	g.putEach(g.spec.ingressClasses, func(i int) simulator.Object {
		return manifest[*networkingv1.IngressClass](g, g.meta("", numbered("edge", i), nil))
	})
	g.putEach(g.spec.ingresses, g.ingress)
	g.putEach(g.spec.networkPolicies, func(i int) simulator.Object {
		policy := manifest[*networkingv1.NetworkPolicy](g, g.appMeta(i))
		policy.Spec.PodSelector = *g.app(i).labelSelector()
		return policy
	})
}

func (g *generator) ingress(i int) simulator.Object {
	w, ingress := g.app(i), manifest[*networkingv1.Ingress](g, g.appMeta(i))
	host := fmt.Sprintf("%s-%d.example.com", w.name, i)
	ingress.Spec.TLS = []networkingv1.IngressTLS{{Hosts: []string{host}, SecretName: w.name + "-tls"}}
	rule := &ingress.Spec.Rules[0]
	rule.Host = host
	for j := range rule.HTTP.Paths {
		rule.HTTP.Paths[j].Backend.Service.Name = w.name
	}
	ingress.Annotations = map[string]string{
		"cert-manager.io/cluster-issuer": "public", "example.com/rate-limit": fmt.Sprint(100 * (1 + i%9)),
	}
	ingress.CreationTimestamp = g.ago(time.Hour + g.within(2000*time.Hour))
	address := networkingv1.IngressLoadBalancerIngress{IP: fmt.Sprintf("203.0.113.%d", i%250)}
	ingress.Status.LoadBalancer.Ingress = []networkingv1.IngressLoadBalancerIngress{address}
	return ingress
}
