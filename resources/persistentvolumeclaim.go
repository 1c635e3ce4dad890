package resources

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
)

func persistentVolumeClaims() Kind {
	return NewKind(definition[corev1.PersistentVolumeClaim]{
		resource: corev1.SchemeGroupVersion.WithResource("persistentvolumeclaims"),
		identity: namespaceAndName[corev1.PersistentVolumeClaim]("persistentvolumeclaim"),
		reads: `metadata.annotations
			spec.storageClassName spec.volumeName spec.volumeMode spec.accessModes spec.resources.requests
			status.phase status.conditions.type status.conditions.status`,
		families: slices.Concat([]family[corev1.PersistentVolumeClaim]{
			labelsFamily[corev1.PersistentVolumeClaim](Stable, "kube_persistentvolumeclaim_labels", "claim"),
			annotationsFamily[corev1.PersistentVolumeClaim](Alpha, "kube_persistentvolumeclaim_annotations", "claim"),
			gauge(Stable, "kube_persistentvolumeclaim_info", "Always 1; names the claim's storage class, volume and volume mode.", func(c *corev1.PersistentVolumeClaim, w *SampleWriter) {
				w.Sample(1,
					"storageclass", claimStorageClass(c),
					"volumename", c.Spec.VolumeName,
					"volumemode", string(ptr.Deref(c.Spec.VolumeMode, "")))
			}),
			gauge(Stable, "kube_persistentvolumeclaim_status_phase", "Phase of the claim, 1 for the current one.", func(c *corev1.PersistentVolumeClaim, w *SampleWriter) {
				if c.Status.Phase != "" {
					w.StateSet("phase", string(c.Status.Phase), string(corev1.ClaimLost), string(corev1.ClaimBound), string(corev1.ClaimPending))
				}
			}),
			gauge(Stable, "kube_persistentvolumeclaim_resource_requests_storage_bytes", "Storage that the claim asks for, in bytes.", func(c *corev1.PersistentVolumeClaim, w *SampleWriter) {
				if q, ok := c.Spec.Resources.Requests[corev1.ResourceStorage]; ok {
					w.Value(wholeValue(q))
				}
			}),
			gauge(Stable, "kube_persistentvolumeclaim_access_mode", "Always 1; names an access mode that the claim asks for.", func(c *corev1.PersistentVolumeClaim, w *SampleWriter) {
				uniqueEach(w, "access_mode", c.Spec.AccessModes)
			}),
			gauge(Alpha, "kube_persistentvolumeclaim_status_condition", "Conditions of the claim, 1 for the status that each has.", func(c *corev1.PersistentVolumeClaim, w *SampleWriter) {
				for _, cond := range c.Status.Conditions {
					w.conditionStatus(cond.Status, "status", "condition", string(cond.Type))
				}
			}),
			createdFamily[corev1.PersistentVolumeClaim](Alpha, "kube_persistentvolumeclaim_created", "claim"),
			deletionFamily[corev1.PersistentVolumeClaim](Alpha, "kube_persistentvolumeclaim_deletion_timestamp", "claim"),
		}, claimBeyondFamilies()),
	})
}

// claimStorageClass prefers the beta annotation, as the volume controller does.
func claimStorageClass(c *corev1.PersistentVolumeClaim) string {
	if class, ok := c.Annotations[corev1.BetaStorageClassAnnotation]; ok {
		return class
	}
	return ptr.Deref(c.Spec.StorageClassName, "")
}
