package resources

import (
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func deployments() Kind {
	return NewKind(definition[appsv1.Deployment]{
		resource: appsv1.SchemeGroupVersion.WithResource("deployments"),
		identity: namespaceAndName[appsv1.Deployment]("deployment"),
		reads: `spec.replicas spec.paused spec.strategy.rollingUpdate
			status.replicas status.readyReplicas status.availableReplicas status.unavailableReplicas status.updatedReplicas
			status.terminatingReplicas status.observedGeneration
			status.conditions.type status.conditions.status status.conditions.reason`,
		families: []family[appsv1.Deployment]{
			gauge(Alpha, "kube_deployment_owner", "Always 1; names an owner of the deployment by kind and name.", deploymentOwner),
			createdFamily[appsv1.Deployment](Stable, "kube_deployment_created", "deployment"),
			gauge(Stable, "kube_deployment_status_replicas", "Number of pods that belong to the deployment and are not being deleted.", func(d *appsv1.Deployment, w *SampleWriter) { w.Int(int64(d.Status.Replicas)) }),
			gauge(Stable, "kube_deployment_status_replicas_ready", "Number of the deployment's pods that are ready.", func(d *appsv1.Deployment, w *SampleWriter) { w.Int(int64(d.Status.ReadyReplicas)) }),
			gauge(Stable, "kube_deployment_status_replicas_available", "Number of the deployment's pods that are available.", func(d *appsv1.Deployment, w *SampleWriter) { w.Int(int64(d.Status.AvailableReplicas)) }),
			gauge(Stable, "kube_deployment_status_replicas_unavailable", "Number of the deployment's desired pods that are not available.", func(d *appsv1.Deployment, w *SampleWriter) { w.Int(int64(d.Status.UnavailableReplicas)) }),
			gauge(Stable, "kube_deployment_status_replicas_updated", "Number of the deployment's pods that have its newest template.", func(d *appsv1.Deployment, w *SampleWriter) { w.Int(int64(d.Status.UpdatedReplicas)) }),
			gauge(Alpha, "kube_deployment_status_terminating_replicas", "Number of the deployment's pods that are being deleted.", func(d *appsv1.Deployment, w *SampleWriter) { optionalInt(w, d.Status.TerminatingReplicas) }),
			gauge(Stable, "kube_deployment_status_observed_generation", "Generation of the deployment that its controller has seen.", func(d *appsv1.Deployment, w *SampleWriter) { w.Int(d.Status.ObservedGeneration) }),
			gauge(Stable, "kube_deployment_status_condition", "Conditions of the deployment, 1 for the status that a condition has.", deploymentConditions),
			gauge(Stable, "kube_deployment_spec_replicas", "Desired number of pods of the deployment.", func(d *appsv1.Deployment, w *SampleWriter) { optionalInt(w, d.Spec.Replicas) }),
			gauge(Stable, "kube_deployment_spec_paused", "Whether the deployment is paused, 1 or 0.", func(d *appsv1.Deployment, w *SampleWriter) { w.Bool(d.Spec.Paused) }),
			gauge(Stable, "kube_deployment_spec_strategy_rollingupdate_max_unavailable", "Number of pods that may be unavailable during a rolling update.", func(d *appsv1.Deployment, w *SampleWriter) {
				if u := d.Spec.Strategy.RollingUpdate; u != nil {
					intOrPercent(w, u.MaxUnavailable, d.Spec.Replicas, false)
				}
			}),
			gauge(Stable, "kube_deployment_spec_strategy_rollingupdate_max_surge", "Number of pods that a rolling update may run beyond the number wanted.", func(d *appsv1.Deployment, w *SampleWriter) {
				if u := d.Spec.Strategy.RollingUpdate; u != nil {
					intOrPercent(w, u.MaxSurge, d.Spec.Replicas, true)
				}
			}),
			generationFamily[appsv1.Deployment](Stable, "kube_deployment_metadata_generation", "deployment"),
			deletionFamily[appsv1.Deployment](Alpha, "kube_deployment_deletion_timestamp", "deployment"),
			annotationsFamily[appsv1.Deployment](Alpha, "kube_deployment_annotations", "deployment"),
			labelsFamily[appsv1.Deployment](Stable, "kube_deployment_labels", "deployment"),
		},
	})
}

// deploymentOwner differs from ownerFamily in that it does not state which owner is the controller.
func deploymentOwner(d *appsv1.Deployment, w *SampleWriter) {
	for _, ref := range ownersOrNone(d.OwnerReferences) {
		w.UniqueSample(1, "owner_kind", ref.Kind, "owner_name", ref.Name)
	}
}

func deploymentConditions(d *appsv1.Deployment, w *SampleWriter) {
	for _, c := range d.Status.Conditions {
		w.conditionStatus(c.Status, "status", "reason", deploymentReason(c.Reason), "condition", string(c.Type))
	}
}

// deploymentReason limits the number of series: a reason that the Deployment controller does not set becomes "unknown".
func deploymentReason(reason string) string {
	switch reason {
	case "", "ReplicaSetUpdated", "ReplicaSetCreateError", "NewReplicaSetCreated", "FoundNewReplicaSet",
		"NewReplicaSetAvailable", "ProgressDeadlineExceeded", "DeploymentPaused", "DeploymentResumed",
		"MinimumReplicasAvailable", "MinimumReplicasUnavailable":
		return reason
	}
	return "unknown"
}

// intOrPercent appends a number of pods that may be given as a percentage of replicas.
func intOrPercent(w *SampleWriter, v *intstr.IntOrString, replicas *int32, roundUp bool) {
	if v == nil || replicas == nil {
		return
	}
	n, err := intstr.GetScaledValueFromIntOrPercent(v, int(*replicas), roundUp)
	if err != nil {
		w.Skip()
		return
	}
	w.Int(int64(n))
}
