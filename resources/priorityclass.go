package resources

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	"k8s.io/utils/ptr"
)

func priorityClasses() Kind {
	return NewKind(definition[schedulingv1.PriorityClass]{
		resource: schedulingv1.SchemeGroupVersion.WithResource("priorityclasses"),
		optional: true,
		identity: nameOnly[schedulingv1.PriorityClass]("priorityclass"),
		reads:    `value globalDefault preemptionPolicy`,
		families: []family[schedulingv1.PriorityClass]{
			gauge(Alpha, "kube_priorityclass_info", "Always 1; gives the preemption policy of the class, and whether it is the one of pods that name none.", func(c *schedulingv1.PriorityClass, w *SampleWriter) {
				// The default is the one that the API server sets.
				w.Sample(1,
					"preemption_policy", string(ptr.Deref(c.PreemptionPolicy, corev1.PreemptLowerPriority)),
					"global_default", strconv.FormatBool(c.GlobalDefault))
			}),
			gauge(Alpha, "kube_priorityclass_value", "Priority of the class's pods; the scheduler prefers greater numbers.", func(c *schedulingv1.PriorityClass, w *SampleWriter) { w.Int(int64(c.Value)) }),
			createdFamily[schedulingv1.PriorityClass](Alpha, "kube_priorityclass_created", "priority class"),
			annotationsFamily[schedulingv1.PriorityClass](Alpha, "kube_priorityclass_annotations", "priority class"),
			labelsFamily[schedulingv1.PriorityClass](Alpha, "kube_priorityclass_labels", "priority class"),
		},
	})
}
