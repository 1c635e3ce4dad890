package resources

import (
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
)

func podDisruptionBudgets() Kind {
	return NewKind(definition[policyv1.PodDisruptionBudget]{
		resource: policyv1.SchemeGroupVersion.WithResource("poddisruptionbudgets"),
		identity: namespaceAndName[policyv1.PodDisruptionBudget]("poddisruptionbudget"),
		reads: `status.currentHealthy status.desiredHealthy status.disruptionsAllowed status.expectedPods
			status.observedGeneration`,
		families: []family[policyv1.PodDisruptionBudget]{
			annotationsFamily[policyv1.PodDisruptionBudget](Alpha, "kube_poddisruptionbudget_annotations", "budget"),
			labelsFamily[policyv1.PodDisruptionBudget](Alpha, "kube_poddisruptionbudget_labels", "budget"),
			createdFamily[policyv1.PodDisruptionBudget](Stable, "kube_poddisruptionbudget_created", "budget"),
			gauge(Stable, "kube_poddisruptionbudget_status_current_healthy", "Number of the budget's pods that are healthy.", func(b *policyv1.PodDisruptionBudget, w *SampleWriter) { w.Int(int64(b.Status.CurrentHealthy)) }),
			gauge(Stable, "kube_poddisruptionbudget_status_desired_healthy", "Number of the budget's pods that have to be healthy.", func(b *policyv1.PodDisruptionBudget, w *SampleWriter) { w.Int(int64(b.Status.DesiredHealthy)) }),
			gauge(Stable, "kube_poddisruptionbudget_status_pod_disruptions_allowed", "Number of the budget's pods that may be evicted now.", func(b *policyv1.PodDisruptionBudget, w *SampleWriter) { w.Int(int64(b.Status.DisruptionsAllowed)) }),
			gauge(Stable, "kube_poddisruptionbudget_status_expected_pods", "Number of pods that the budget counts.", func(b *policyv1.PodDisruptionBudget, w *SampleWriter) { w.Int(int64(b.Status.ExpectedPods)) }),
			gauge(Stable, "kube_poddisruptionbudget_status_observed_generation", "Generation of the budget that its controller has seen.", func(b *policyv1.PodDisruptionBudget, w *SampleWriter) { w.Int(b.Status.ObservedGeneration) }),
			deletionFamily[policyv1.PodDisruptionBudget](Alpha, "kube_poddisruptionbudget_deletion_timestamp", "budget"),
			optIn(withFields("status.conditions.type status.conditions.status status.conditions.reason", gauge(Alpha, "kube_poddisruptionbudget_status_condition", "Always 1; names a condition of the budget, the status that it has, and the reason.", func(b *policyv1.PodDisruptionBudget, w *SampleWriter) {
				for _, c := range b.Status.Conditions {
					w.presentCondition(c.Type, corev1.ConditionStatus(c.Status), c.Reason)
				}
			}))),
		},
	})
}
