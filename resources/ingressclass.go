package resources

import networkingv1 "k8s.io/api/networking/v1"

func ingressClasses() Kind {
	return NewKind(definition[networkingv1.IngressClass]{
		resource: networkingv1.SchemeGroupVersion.WithResource("ingressclasses"),
		optional: true,
		identity: nameOnly[networkingv1.IngressClass]("ingressclass"),
		reads:    `spec.controller`,
		families: []family[networkingv1.IngressClass]{
			gauge(Alpha, "kube_ingressclass_info", "Always 1; names the controller that serves the ingress class.", func(c *networkingv1.IngressClass, w *SampleWriter) {
				w.Sample(1, "controller", c.Spec.Controller)
			}),
			createdFamily[networkingv1.IngressClass](Alpha, "kube_ingressclass_created", "ingress class"),
			annotationsFamily[networkingv1.IngressClass](Alpha, "kube_ingressclass_annotations", "ingress class"),
			labelsFamily[networkingv1.IngressClass](Alpha, "kube_ingressclass_labels", "ingress class"),
		},
	})
}
