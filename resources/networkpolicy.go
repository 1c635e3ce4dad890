package resources

import networkingv1 "k8s.io/api/networking/v1"

func networkPolicies() Kind {
	return NewKind(definition[networkingv1.NetworkPolicy]{
		resource: networkingv1.SchemeGroupVersion.WithResource("networkpolicies"),
		identity: namespaceAndName[networkingv1.NetworkPolicy]("networkpolicy"),
		// Rules are only counted, so any field of them suffices.
		reads: `spec.ingress.ports.protocol spec.egress.ports.protocol`,
		families: []family[networkingv1.NetworkPolicy]{
			createdFamily[networkingv1.NetworkPolicy](Alpha, "kube_networkpolicy_created", "network policy"),
			annotationsFamily[networkingv1.NetworkPolicy](Alpha, "kube_networkpolicy_annotations", "network policy"),
			labelsFamily[networkingv1.NetworkPolicy](Alpha, "kube_networkpolicy_labels", "network policy"),
			gauge(Alpha, "kube_networkpolicy_spec_ingress_rules", "Number of the network policy's rules for incoming traffic.", func(p *networkingv1.NetworkPolicy, w *SampleWriter) {
				w.Int(int64(len(p.Spec.Ingress)))
			}),
			gauge(Alpha, "kube_networkpolicy_spec_egress_rules", "Number of the network policy's rules for outgoing traffic.", func(p *networkingv1.NetworkPolicy, w *SampleWriter) {
				w.Int(int64(len(p.Spec.Egress)))
			}),
		},
	})
}
