package resources

import (
	corev1 "k8s.io/api/core/v1"
)

func limitRanges() Kind {
	return For(definition[corev1.LimitRange]{
		resource:   corev1.SchemeGroupVersion.WithResource("limitranges"),
		namespaced: true,
		identity:   named[corev1.LimitRange]("limitrange"),
		reads:      `spec.limits`,
		families: []family[corev1.LimitRange]{
			measured(unitByLabel("resource"), gauge(Stable, "kube_limitrange", "Limit that the limit range sets for a resource, in cores, bytes or pieces; for a ratio, the quotient of limit and request.", limitRangeLimits)),
			createdFamily[corev1.LimitRange](Stable, "kube_limitrange_created", "limit range"),
		},
	})
}

func limitRangeLimits(l *corev1.LimitRange, m *Out) {
	for i := range l.Spec.Limits {
		item := &l.Spec.Limits[i]
		limitRangeConstraint(m, item.Type, "min", item.Min)
		limitRangeConstraint(m, item.Type, "max", item.Max)
		limitRangeConstraint(m, item.Type, "default", item.Default)
		limitRangeConstraint(m, item.Type, "defaultRequest", item.DefaultRequest)
		limitRangeConstraint(m, item.Type, "maxLimitRequestRatio", item.MaxLimitRequestRatio)
	}
}

func limitRangeConstraint(m *Out, of corev1.LimitType, constraint string, list corev1.ResourceList) {
	var few [fewResources]corev1.ResourceName
	for _, name := range sortedResources(few[:0], list) {
		m.Once(milliValue(list[name]), "resource", string(name), "type", string(of), "constraint", constraint)
	}
}
