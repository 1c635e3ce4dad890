package resources

import (
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/utils/ptr"
)

func csiDrivers() Kind {
	return NewKind(definition[storagev1.CSIDriver]{
		resource: storagev1.SchemeGroupVersion.WithResource("csidrivers"),
		optional: true,
		identity: nameOnly[storagev1.CSIDriver]("csidriver"),
		reads: `spec.attachRequired spec.fsGroupPolicy spec.podInfoOnMount spec.requiresRepublish spec.seLinuxMount
			spec.storageCapacity`,
		families: []family[storagev1.CSIDriver]{
			gauge(Alpha, "kube_csidriver_info", "Always 1; gives what the driver says of how its volumes are attached and mounted.", func(d *storagev1.CSIDriver, w *SampleWriter) {
				w.Sample(1,
					"attach_required", optionalBool(d.Spec.AttachRequired),
					"fs_group_policy", string(ptr.Deref(d.Spec.FSGroupPolicy, "")),
					"pod_info_on_mount", optionalBool(d.Spec.PodInfoOnMount),
					"requires_republish", optionalBool(d.Spec.RequiresRepublish),
					"selinux_mount", optionalBool(d.Spec.SELinuxMount),
					"storage_capacity", optionalBool(d.Spec.StorageCapacity))
			}),
		},
	})
}
