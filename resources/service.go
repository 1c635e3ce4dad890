package resources

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func services() Kind {
	return NewKind(definition[corev1.Service]{
		resource: corev1.SchemeGroupVersion.WithResource("services"),
		identity: namespaceNameUID[corev1.Service]("service"),
		reads: `spec.type spec.clusterIP spec.externalName spec.loadBalancerIP spec.externalTrafficPolicy spec.externalIPs
			status.loadBalancer.ingress.ip status.loadBalancer.ingress.hostname`,
		families: []family[corev1.Service]{
			gauge(Stable, "kube_service_info", "Always 1; gives the addresses of the service inside and outside the cluster.", func(s *corev1.Service, w *SampleWriter) {
				w.Sample(1,
					"cluster_ip", s.Spec.ClusterIP,
					"external_name", s.Spec.ExternalName,
					"load_balancer_ip", s.Spec.LoadBalancerIP,
					"external_traffic_policy", string(s.Spec.ExternalTrafficPolicy))
			}),
			createdFamily[corev1.Service](Stable, "kube_service_created", "service"),
			gauge(Stable, "kube_service_spec_type", "Always 1; names the type of the service.", func(s *corev1.Service, w *SampleWriter) {
				w.Sample(1, "type", string(s.Spec.Type))
			}),
			annotationsFamily[corev1.Service](Alpha, "kube_service_annotations", "service"),
			labelsFamily[corev1.Service](Stable, "kube_service_labels", "service"),
			gauge(Stable, "kube_service_spec_external_ip", "Always 1; names an external address on which nodes accept the service's traffic.", func(s *corev1.Service, w *SampleWriter) { uniqueEach(w, "external_ip", s.Spec.ExternalIPs) }),
			gauge(Stable, "kube_service_status_load_balancer_ingress", "Always 1; names an ingress point of the service's load balancer by address or host name.", func(s *corev1.Service, w *SampleWriter) {
				for _, in := range s.Status.LoadBalancer.Ingress {
					w.UniqueSample(1, "ip", in.IP, "hostname", in.Hostname)
				}
			}),
			deletionFamily[corev1.Service](Alpha, "kube_service_deletion_timestamp", "service"),
			optIn(withFields("spec.ports.name spec.ports.protocol spec.ports.port spec.ports.targetPort spec.ports.nodePort",
				gauge(Alpha, "kube_service_spec_ports", "Always 1; gives a port of the service, the port of the pods that it leads to, and that of the nodes.", servicePorts))),
			optIn(withFields("spec.selector", gauge(Alpha, "kube_service_spec_selector", "Always 1; gives the service's selector of pods as selector_ labels.", func(s *corev1.Service, w *SampleWriter) {
				if len(s.Spec.Selector) > 0 {
					w.mapSample("selector_", s.Spec.Selector, allowAll)
				}
			}))),
		},
	})
}

func servicePorts(s *corev1.Service, w *SampleWriter) {
	for _, p := range s.Spec.Ports {
		target, nodePort := "", ""
		if p.TargetPort != (intstr.IntOrString{}) {
			target = p.TargetPort.String()
		}
		if p.NodePort != 0 {
			nodePort = strconv.Itoa(int(p.NodePort))
		}
		w.UniqueSample(1,
			"port_name", p.Name,
			"port_protocol", string(p.Protocol),
			"port_number", strconv.Itoa(int(p.Port)),
			"target_port", target,
			"node_port_number", nodePort)
	}
}
