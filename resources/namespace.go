package resources

import corev1 "k8s.io/api/core/v1"

func namespaces() Kind {
	return NewKind(definition[corev1.Namespace]{
		resource: corev1.SchemeGroupVersion.WithResource("namespaces"),
		identity: nameOnly[corev1.Namespace]("namespace"),
		reads:    `status.phase status.conditions.type status.conditions.status`,
		families: []family[corev1.Namespace]{
			createdFamily[corev1.Namespace](Stable, "kube_namespace_created", "namespace"),
			annotationsFamily[corev1.Namespace](Alpha, "kube_namespace_annotations", "namespace"),
			labelsFamily[corev1.Namespace](Stable, "kube_namespace_labels", "namespace"),
			gauge(Stable, "kube_namespace_status_phase", "Phase of the namespace, 1 for the current one.", func(n *corev1.Namespace, w *SampleWriter) {
				w.StateSet("phase", string(n.Status.Phase), string(corev1.NamespaceActive), string(corev1.NamespaceTerminating))
			}),
			gauge(Alpha, "kube_namespace_status_condition", "Conditions of the namespace, 1 for the status that each has.", func(n *corev1.Namespace, w *SampleWriter) {
				for _, c := range n.Status.Conditions {
					w.conditionStatus(c.Status, "status", "condition", string(c.Type))
				}
			}),
		},
	})
}
