package resources

import appsv1 "k8s.io/api/apps/v1"

func daemonSets() Kind {
	return NewKind(definition[appsv1.DaemonSet]{
		resource: appsv1.SchemeGroupVersion.WithResource("daemonsets"),
		identity: namespaceAndName[appsv1.DaemonSet]("daemonset"),
		reads: `status.currentNumberScheduled status.desiredNumberScheduled status.numberAvailable status.numberMisscheduled
			status.numberReady status.numberUnavailable status.observedGeneration status.updatedNumberScheduled`,
		families: []family[appsv1.DaemonSet]{
			createdFamily[appsv1.DaemonSet](Stable, "kube_daemonset_created", "daemon set"),
			gauge(Stable, "kube_daemonset_status_current_number_scheduled", "Number of nodes that run a pod of the daemon set and should.", func(d *appsv1.DaemonSet, w *SampleWriter) { w.Int(int64(d.Status.CurrentNumberScheduled)) }),
			gauge(Stable, "kube_daemonset_status_desired_number_scheduled", "Number of nodes that should run a pod of the daemon set.", func(d *appsv1.DaemonSet, w *SampleWriter) { w.Int(int64(d.Status.DesiredNumberScheduled)) }),
			gauge(Stable, "kube_daemonset_status_number_available", "Number of nodes on which the daemon set's pod is available.", func(d *appsv1.DaemonSet, w *SampleWriter) { w.Int(int64(d.Status.NumberAvailable)) }),
			gauge(Stable, "kube_daemonset_status_number_misscheduled", "Number of nodes that run a pod of the daemon set and should not.", func(d *appsv1.DaemonSet, w *SampleWriter) { w.Int(int64(d.Status.NumberMisscheduled)) }),
			gauge(Stable, "kube_daemonset_status_number_ready", "Number of nodes on which the daemon set's pod is ready.", func(d *appsv1.DaemonSet, w *SampleWriter) { w.Int(int64(d.Status.NumberReady)) }),
			gauge(Stable, "kube_daemonset_status_number_unavailable", "Number of nodes that should run a pod of the daemon set and have none available.", func(d *appsv1.DaemonSet, w *SampleWriter) { w.Int(int64(d.Status.NumberUnavailable)) }),
			gauge(Stable, "kube_daemonset_status_observed_generation", "Generation of the daemon set that its controller has seen.", func(d *appsv1.DaemonSet, w *SampleWriter) { w.Int(d.Status.ObservedGeneration) }),
			gauge(Stable, "kube_daemonset_status_updated_number_scheduled", "Number of nodes that run a pod of the daemon set's newest template.", func(d *appsv1.DaemonSet, w *SampleWriter) { w.Int(int64(d.Status.UpdatedNumberScheduled)) }),
			generationFamily[appsv1.DaemonSet](Stable, "kube_daemonset_metadata_generation", "daemon set"),
			deletionFamily[appsv1.DaemonSet](Alpha, "kube_daemonset_deletion_timestamp", "daemon set"),
			annotationsFamily[appsv1.DaemonSet](Alpha, "kube_daemonset_annotations", "daemon set"),
			labelsFamily[appsv1.DaemonSet](Stable, "kube_daemonset_labels", "daemon set"),
		},
	})
}
