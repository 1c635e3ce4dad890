package resources

import (
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/utils/ptr"
)

func storageClasses() Kind {
	return NewKind(definition[storagev1.StorageClass]{
		resource: storagev1.SchemeGroupVersion.WithResource("storageclasses"),
		identity: nameOnly[storagev1.StorageClass]("storageclass"),
		reads:    `provisioner reclaimPolicy volumeBindingMode`,
		families: []family[storagev1.StorageClass]{
			gauge(Stable, "kube_storageclass_info", "Always 1; names the provisioner, reclaim policy and binding mode of the storage class.", func(c *storagev1.StorageClass, w *SampleWriter) {
				// The defaults are those that the API server sets.
				w.Sample(1,
					"provisioner", c.Provisioner,
					"reclaim_policy", string(ptr.Deref(c.ReclaimPolicy, corev1.PersistentVolumeReclaimDelete)),
					"volume_binding_mode", string(ptr.Deref(c.VolumeBindingMode, storagev1.VolumeBindingImmediate)))
			}),
			createdFamily[storagev1.StorageClass](Stable, "kube_storageclass_created", "storage class"),
			annotationsFamily[storagev1.StorageClass](Alpha, "kube_storageclass_annotations", "storage class"),
			labelsFamily[storagev1.StorageClass](Stable, "kube_storageclass_labels", "storage class"),
		},
	})
}
