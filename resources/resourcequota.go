package resources

import corev1 "k8s.io/api/core/v1"

func resourceQuotas() Kind {
	return NewKind(definition[corev1.ResourceQuota]{
		resource: corev1.SchemeGroupVersion.WithResource("resourcequotas"),
		identity: namespaceAndName[corev1.ResourceQuota]("resourcequota"),
		reads:    `status.hard status.used`,
		families: []family[corev1.ResourceQuota]{
			createdFamily[corev1.ResourceQuota](Stable, "kube_resourcequota_created", "resource quota"),
			withUnit(unitByLabel("resource"), gauge(Stable, "kube_resourcequota", "Amount of a resource that the quota admits (hard) or sees in use (used), in cores, bytes or pieces.", func(q *corev1.ResourceQuota, w *SampleWriter) {
				resourceQuotaAmounts(w, "hard", q.Status.Hard)
				resourceQuotaAmounts(w, "used", q.Status.Used)
			})),
			annotationsFamily[corev1.ResourceQuota](Alpha, "kube_resourcequota_annotations", "resource quota"),
			labelsFamily[corev1.ResourceQuota](Stable, "kube_resourcequota_labels", "resource quota"),
		},
	})
}

func resourceQuotaAmounts(w *SampleWriter, amount string, list corev1.ResourceList) {
	for name, quantity := range sorted(w, list) {
		w.UniqueSample(milliValue(quantity), "resource", string(name), "type", amount)
	}
}
