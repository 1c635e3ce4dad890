package resources

import corev1 "k8s.io/api/core/v1"

func limitRanges() Kind {
	return NewKind(definition[corev1.LimitRange]{
		resource: corev1.SchemeGroupVersion.WithResource("limitranges"),
		identity: namespaceAndName[corev1.LimitRange]("limitrange"),
		reads:    `spec.limits`,
		families: []family[corev1.LimitRange]{
			withUnit(unitByLabel("resource"), gauge(Stable, "kube_limitrange", "Limit that the limit range sets for a resource, in cores, bytes or pieces; for a ratio, the quotient of limit and request.", limitRangeLimits)),
			createdFamily[corev1.LimitRange](Stable, "kube_limitrange_created", "limit range"),
		},
	})
}

func limitRangeLimits(l *corev1.LimitRange, w *SampleWriter) {
	for _, item := range l.Spec.Limits {
		limitRangeConstraint(w, item.Type, "min", item.Min)
		limitRangeConstraint(w, item.Type, "max", item.Max)
		limitRangeConstraint(w, item.Type, "default", item.Default)
		limitRangeConstraint(w, item.Type, "defaultRequest", item.DefaultRequest)
		limitRangeConstraint(w, item.Type, "maxLimitRequestRatio", item.MaxLimitRequestRatio)
	}
}

func limitRangeConstraint(w *SampleWriter, of corev1.LimitType, constraint string, list corev1.ResourceList) {
	for name, quantity := range sorted(w, list) {
		w.UniqueSample(milliValue(quantity), "resource", string(name), "type", string(of), "constraint", constraint)
	}
}
