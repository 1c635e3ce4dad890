package resources

import appsv1 "k8s.io/api/apps/v1"

func statefulSets() Kind {
	return NewKind(definition[appsv1.StatefulSet]{
		resource: appsv1.SchemeGroupVersion.WithResource("statefulsets"),
		identity: namespaceAndName[appsv1.StatefulSet]("statefulset"),
		reads: `spec.replicas spec.ordinals spec.persistentVolumeClaimRetentionPolicy
			status.replicas status.availableReplicas status.currentReplicas status.readyReplicas status.updatedReplicas
			status.observedGeneration status.currentRevision status.updateRevision`,
		families: []family[appsv1.StatefulSet]{
			createdFamily[appsv1.StatefulSet](Stable, "kube_statefulset_created", "stateful set"),
			gauge(Stable, "kube_statefulset_status_replicas", "Number of pods that the stateful set has created.", func(s *appsv1.StatefulSet, w *SampleWriter) { w.Int(int64(s.Status.Replicas)) }),
			gauge(Stable, "kube_statefulset_status_replicas_available", "Number of the stateful set's pods that are available.", func(s *appsv1.StatefulSet, w *SampleWriter) { w.Int(int64(s.Status.AvailableReplicas)) }),
			gauge(Stable, "kube_statefulset_status_replicas_current", "Number of the stateful set's pods of its current revision.", func(s *appsv1.StatefulSet, w *SampleWriter) { w.Int(int64(s.Status.CurrentReplicas)) }),
			gauge(Stable, "kube_statefulset_status_replicas_ready", "Number of the stateful set's pods that are ready.", func(s *appsv1.StatefulSet, w *SampleWriter) { w.Int(int64(s.Status.ReadyReplicas)) }),
			gauge(Stable, "kube_statefulset_status_replicas_updated", "Number of the stateful set's pods of its update revision.", func(s *appsv1.StatefulSet, w *SampleWriter) { w.Int(int64(s.Status.UpdatedReplicas)) }),
			gauge(Stable, "kube_statefulset_status_observed_generation", "Generation of the stateful set that its controller has seen.", func(s *appsv1.StatefulSet, w *SampleWriter) { w.Int(s.Status.ObservedGeneration) }),
			gauge(Stable, "kube_statefulset_replicas", "Desired number of pods of the stateful set.", func(s *appsv1.StatefulSet, w *SampleWriter) { optionalInt(w, s.Spec.Replicas) }),
			gauge(Stable, "kube_statefulset_ordinals_start", "Ordinal of the stateful set's first pod.", func(s *appsv1.StatefulSet, w *SampleWriter) {
				if s.Spec.Ordinals != nil {
					w.Int(int64(s.Spec.Ordinals.Start))
				}
			}),
			generationFamily[appsv1.StatefulSet](Stable, "kube_statefulset_metadata_generation", "stateful set"),
			gauge(Stable, "kube_statefulset_persistentvolumeclaim_retention_policy", "Always 1; gives what happens to volume claims when the stateful set is deleted and when it is scaled down.", retentionPolicy),
			annotationsFamily[appsv1.StatefulSet](Stable, "kube_statefulset_annotations", "stateful set"),
			labelsFamily[appsv1.StatefulSet](Stable, "kube_statefulset_labels", "stateful set"),
			gauge(Stable, "kube_statefulset_status_current_revision", "Always 1; names the revision that the stateful set's pods have before an update.", func(s *appsv1.StatefulSet, w *SampleWriter) {
				w.Sample(1, "revision", s.Status.CurrentRevision)
			}),
			gauge(Stable, "kube_statefulset_status_update_revision", "Always 1; names the revision that the stateful set's pods have after an update.", func(s *appsv1.StatefulSet, w *SampleWriter) {
				w.Sample(1, "revision", s.Status.UpdateRevision)
			}),
			deletionFamily[appsv1.StatefulSet](Stable, "kube_statefulset_deletion_timestamp", "stateful set"),
		},
	})
}

func retentionPolicy(s *appsv1.StatefulSet, w *SampleWriter) {
	p := s.Spec.PersistentVolumeClaimRetentionPolicy
	if p == nil || p.WhenDeleted == "" && p.WhenScaled == "" {
		return
	}
	w.Sample(1, "when_deleted", string(p.WhenDeleted), "when_scaled", string(p.WhenScaled))
}
