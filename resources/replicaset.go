package resources

import appsv1 "k8s.io/api/apps/v1"

func replicaSets() Kind {
	return NewKind(definition[appsv1.ReplicaSet]{
		resource: appsv1.SchemeGroupVersion.WithResource("replicasets"),
		identity: namespaceAndName[appsv1.ReplicaSet]("replicaset"),
		reads: `spec.replicas status.replicas status.fullyLabeledReplicas status.readyReplicas
			status.terminatingReplicas status.observedGeneration`,
		families: []family[appsv1.ReplicaSet]{
			createdFamily[appsv1.ReplicaSet](Stable, "kube_replicaset_created", "replica set"),
			gauge(Stable, "kube_replicaset_status_replicas", "Number of pods that belong to the replica set and are not being deleted.", func(r *appsv1.ReplicaSet, w *SampleWriter) { w.Int(int64(r.Status.Replicas)) }),
			gauge(Stable, "kube_replicaset_status_fully_labeled_replicas", "Number of the replica set's pods that carry all labels of its template.", func(r *appsv1.ReplicaSet, w *SampleWriter) { w.Int(int64(r.Status.FullyLabeledReplicas)) }),
			gauge(Stable, "kube_replicaset_status_ready_replicas", "Number of the replica set's pods that are ready.", func(r *appsv1.ReplicaSet, w *SampleWriter) { w.Int(int64(r.Status.ReadyReplicas)) }),
			gauge(Alpha, "kube_replicaset_status_terminating_replicas", "Number of the replica set's pods that are being deleted.", func(r *appsv1.ReplicaSet, w *SampleWriter) { optionalInt(w, r.Status.TerminatingReplicas) }),
			gauge(Stable, "kube_replicaset_status_observed_generation", "Generation of the replica set that its controller has seen.", func(r *appsv1.ReplicaSet, w *SampleWriter) { w.Int(r.Status.ObservedGeneration) }),
			gauge(Stable, "kube_replicaset_spec_replicas", "Desired number of pods of the replica set.", func(r *appsv1.ReplicaSet, w *SampleWriter) { optionalInt(w, r.Spec.Replicas) }),
			generationFamily[appsv1.ReplicaSet](Stable, "kube_replicaset_metadata_generation", "replica set"),
			ownerFamily[appsv1.ReplicaSet](Stable, "kube_replicaset_owner", "replica set"),
			annotationsFamily[appsv1.ReplicaSet](Alpha, "kube_replicaset_annotations", "replica set"),
			labelsFamily[appsv1.ReplicaSet](Stable, "kube_replicaset_labels", "replica set"),
			optIn(withFields("status.availableReplicas", gauge(Alpha, "kube_replicaset_status_available_replicas", "Number of the replica set's pods that are available.", func(r *appsv1.ReplicaSet, w *SampleWriter) { w.Int(int64(r.Status.AvailableReplicas)) }))),
		},
	})
}
