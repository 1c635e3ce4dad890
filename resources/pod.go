package resources

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

func pods() Kind {
	return NewKind(definition[corev1.Pod]{
		resource: corev1.SchemeGroupVersion.WithResource("pods"),
		identity: namespaceNameUID[corev1.Pod]("pod"),
		// Only the presence of an ephemeral volume matters, so any field below it suffices.
		reads: `spec.nodeName spec.hostNetwork spec.priorityClassName spec.restartPolicy spec.runtimeClassName
			spec.schedulerName spec.serviceAccountName spec.overhead spec.tolerations spec.resourceClaims
			spec.volumes.name spec.volumes.persistentVolumeClaim spec.volumes.ephemeral.volumeClaimTemplate.metadata.name
			spec.containers.name spec.containers.image
			spec.containers.resources.limits spec.containers.resources.requests
			spec.initContainers.name spec.initContainers.image spec.initContainers.restartPolicy
			spec.initContainers.resources.limits spec.initContainers.resources.requests
			status.phase status.reason status.qosClass status.hostIP status.podIP status.podIPs status.startTime
			status.conditions.type status.conditions.status status.conditions.reason status.conditions.lastTransitionTime
			status.resourceClaimStatuses ` + containerStatusReads("status.containerStatuses.") + containerStatusReads("status.initContainerStatuses."),
		reuse: reusePod,
		families: slices.Concat(
			[]family[corev1.Pod]{
				gauge(Stable, "kube_pod_completion_time", "Time when the last of the pod's containers that have ended did so, in unix seconds.", podCompletionTime),
			},
			podContainers().families(),
			[]family[corev1.Pod]{
				createdFamily[corev1.Pod](Stable, "kube_pod_created", "pod"),
				deletionFamily[corev1.Pod](Alpha, "kube_pod_deletion_timestamp", "pod"),
				gauge(Stable, "kube_pod_info", "Always 1; gives the pod's node, main addresses, creator and priority class.", podInfo),
				gauge(Alpha, "kube_pod_ips", "Always 1; names an address of the pod and its family, 4 or 6.", podIPs),
			},
			podInitContainers().families(),
			[]family[corev1.Pod]{
				annotationsFamily[corev1.Pod](Alpha, "kube_pod_annotations", "pod"),
				labelsFamily[corev1.Pod](Stable, "kube_pod_labels", "pod"),
			},
			podSpecFamilies(),
			podStatusFamilies(),
			podPlacementFamilies(),
			podBeyondFamilies(),
		),
	})
}

// reusePod keeps the lists that nearly every pod has.
func reusePod(p *corev1.Pod) {
	owners := truncated(p.OwnerReferences)
	spec, status := &p.Spec, &p.Status
	*p = corev1.Pod{
		Spec: corev1.PodSpec{
			Containers:     truncated(spec.Containers),
			InitContainers: truncated(spec.InitContainers),
			Volumes:        truncated(spec.Volumes),
			Tolerations:    truncated(spec.Tolerations),
		},
		Status: corev1.PodStatus{
			Conditions:            truncated(status.Conditions),
			ContainerStatuses:     truncated(status.ContainerStatuses),
			InitContainerStatuses: truncated(status.InitContainerStatuses),
			PodIPs:                truncated(status.PodIPs),
		},
	}
	p.OwnerReferences = owners
}
