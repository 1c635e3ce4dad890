package resources

import corev1 "k8s.io/api/core/v1"

func replicationControllers() Kind {
	return NewKind(definition[corev1.ReplicationController]{
		resource: corev1.SchemeGroupVersion.WithResource("replicationcontrollers"),
		identity: namespaceAndName[corev1.ReplicationController]("replicationcontroller"),
		reads: `spec.replicas status.replicas status.fullyLabeledReplicas status.readyReplicas
			status.availableReplicas status.observedGeneration`,
		families: []family[corev1.ReplicationController]{
			createdFamily[corev1.ReplicationController](Stable, "kube_replicationcontroller_created", "replication controller"),
			gauge(Stable, "kube_replicationcontroller_status_replicas", "Number of pods that belong to the replication controller and are not being deleted.", func(r *corev1.ReplicationController, w *SampleWriter) { w.Int(int64(r.Status.Replicas)) }),
			gauge(Stable, "kube_replicationcontroller_status_fully_labeled_replicas", "Number of the replication controller's pods that carry all labels of its template.", func(r *corev1.ReplicationController, w *SampleWriter) { w.Int(int64(r.Status.FullyLabeledReplicas)) }),
			gauge(Stable, "kube_replicationcontroller_status_ready_replicas", "Number of the replication controller's pods that are ready.", func(r *corev1.ReplicationController, w *SampleWriter) { w.Int(int64(r.Status.ReadyReplicas)) }),
			gauge(Stable, "kube_replicationcontroller_status_available_replicas", "Number of the replication controller's pods that are available.", func(r *corev1.ReplicationController, w *SampleWriter) { w.Int(int64(r.Status.AvailableReplicas)) }),
			gauge(Stable, "kube_replicationcontroller_status_observed_generation", "Generation of the replication controller that its controller has seen.", func(r *corev1.ReplicationController, w *SampleWriter) { w.Int(r.Status.ObservedGeneration) }),
			gauge(Stable, "kube_replicationcontroller_spec_replicas", "Desired number of pods of the replication controller.", func(r *corev1.ReplicationController, w *SampleWriter) { optionalInt(w, r.Spec.Replicas) }),
			generationFamily[corev1.ReplicationController](Stable, "kube_replicationcontroller_metadata_generation", "replication controller"),
			ownerFamily[corev1.ReplicationController](Alpha, "kube_replicationcontroller_owner", "replication controller"),
		},
	})
}
