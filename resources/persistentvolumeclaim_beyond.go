package resources

import corev1 "k8s.io/api/core/v1"

// claimBeyondFamilies are the families that kube-state-metrics 2.20 does not have. It has merged those of the
// VolumeAttributesClass for a later release, so they are on by default.
func claimBeyondFamilies() []family[corev1.PersistentVolumeClaim] {
	return []family[corev1.PersistentVolumeClaim]{
		withFields("spec.volumeAttributesClassName", gauge(Alpha, "kube_persistentvolumeclaim_volume_attributes_class", "Always 1; names the class of volume attributes that the claim asks for.", func(c *corev1.PersistentVolumeClaim, w *SampleWriter) {
			attributesClass(w, c.Spec.VolumeAttributesClassName)
		})),
		withFields("status.currentVolumeAttributesClassName", gauge(Alpha, "kube_persistentvolumeclaim_status_current_volume_attributes_class", "Always 1; names the class of volume attributes that the claim's volume has.", func(c *corev1.PersistentVolumeClaim, w *SampleWriter) {
			attributesClass(w, c.Status.CurrentVolumeAttributesClassName)
		})),
		withFields("status.modifyVolumeStatus", gauge(Alpha, "kube_persistentvolumeclaim_status_modify_volume_status", "State of the change of the volume to another class of attributes, 1 for the current one; only while a change is under way.", modifyVolumeStatus)),
		optIn(withFields("status.capacity", gauge(Alpha, "kube_persistentvolumeclaim_status_capacity_bytes", "Size of the claim's volume, in bytes.", func(c *corev1.PersistentVolumeClaim, w *SampleWriter) {
			if q, ok := c.Status.Capacity[corev1.ResourceStorage]; ok {
				w.Value(wholeValue(q))
			}
		}))),
		optIn(withFields("status.allocatedResources", gauge(Alpha, "kube_persistentvolumeclaim_status_allocated_resource_bytes", "Amount of a resource that is allocated to the claim, more than its capacity while it is resized, in bytes.", allocatedBytes))),
		optIn(withFields("status.allocatedResourceStatuses", gauge(Alpha, "kube_persistentvolumeclaim_status_resize", "Always 1; names a resource of the claim that is being resized, and how far that is.", claimResize))),
		optIn(withUnit(UnixSeconds, withFields("status.conditions.lastTransitionTime", gauge(Alpha, "kube_persistentvolumeclaim_status_condition_last_transition_timestamp_seconds", "Time when a condition of the claim got the status that it has, in unix seconds.", func(c *corev1.PersistentVolumeClaim, w *SampleWriter) {
			for _, cond := range c.Status.Conditions {
				if cond.LastTransitionTime.IsZero() {
					continue
				}
				if status, ok := w.statusValue(cond.Status); ok {
					w.UniqueSample(float64(cond.LastTransitionTime.Unix()), "condition", string(cond.Type), "status", status)
				}
			}
		})))),
	}
}

// attributesClass appends nothing for an empty name, which stands for no class.
func attributesClass(w *SampleWriter, name *string) {
	if name != nil && *name != "" {
		w.Sample(1, "volume_attributes_class", *name)
	}
}

func modifyVolumeStatus(c *corev1.PersistentVolumeClaim, w *SampleWriter) {
	m := c.Status.ModifyVolumeStatus
	if m == nil {
		return
	}
	for _, status := range [...]corev1.PersistentVolumeClaimModifyVolumeStatus{
		corev1.PersistentVolumeClaimModifyVolumePending,
		corev1.PersistentVolumeClaimModifyVolumeInProgress,
		corev1.PersistentVolumeClaimModifyVolumeInfeasible,
	} {
		w.Bool(m.Status == status, "status", string(status), "target_volume_attributes_class", m.TargetVolumeAttributesClassName)
	}
}

// allocatedBytes leaves out resources that are not counted in bytes.
func allocatedBytes(c *corev1.PersistentVolumeClaim, w *SampleWriter) {
	for name, quantity := range sorted(w, c.Status.AllocatedResources) {
		if unitOfResource(name) == "byte" {
			w.UniqueSample(wholeValue(quantity), "resource", resourceLabel(name))
		}
	}
}

func claimResize(c *corev1.PersistentVolumeClaim, w *SampleWriter) {
	for name, status := range sorted(w, c.Status.AllocatedResourceStatuses) {
		w.UniqueSample(1, "resource", resourceLabel(name), "status", string(status))
	}
}
