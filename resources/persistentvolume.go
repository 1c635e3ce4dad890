package resources

import (
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
)

func persistentVolumes() Kind {
	return NewKind(definition[corev1.PersistentVolume]{
		resource: corev1.SchemeGroupVersion.WithResource("persistentvolumes"),
		identity: nameOnly[corev1.PersistentVolume]("persistentvolume"),
		reads: `spec.capacity spec.accessModes spec.volumeMode spec.storageClassName spec.persistentVolumeReclaimPolicy
			spec.claimRef.name spec.claimRef.namespace
			spec.gcePersistentDisk.pdName spec.awsElasticBlockStore.volumeID spec.azureDisk.diskName
			spec.fc.wwids spec.fc.lun spec.fc.targetWWNs
			spec.iscsi.targetPortal spec.iscsi.iqn spec.iscsi.lun spec.iscsi.initiatorName
			spec.nfs.server spec.nfs.path spec.csi.driver spec.csi.volumeHandle
			spec.local.path spec.local.fsType spec.hostPath.path spec.hostPath.type
			status.phase`,
		families: []family[corev1.PersistentVolume]{
			gauge(Stable, "kube_persistentvolume_claim_ref", "Always 1; names the claim that the volume is bound to.", func(v *corev1.PersistentVolume, w *SampleWriter) {
				if ref := v.Spec.ClaimRef; ref != nil {
					w.Sample(1, "name", ref.Name, "claim_namespace", ref.Namespace)
				}
			}),
			annotationsFamily[corev1.PersistentVolume](Alpha, "kube_persistentvolume_annotations", "volume"),
			labelsFamily[corev1.PersistentVolume](Stable, "kube_persistentvolume_labels", "volume"),
			gauge(Stable, "kube_persistentvolume_status_phase", "Phase of the volume, 1 for the current one.", func(v *corev1.PersistentVolume, w *SampleWriter) {
				if v.Status.Phase != "" {
					w.StateSet("phase", string(v.Status.Phase), string(corev1.VolumePending), string(corev1.VolumeAvailable),
						string(corev1.VolumeBound), string(corev1.VolumeReleased), string(corev1.VolumeFailed))
				}
			}),
			gauge(Stable, "kube_persistentvolume_info", "Always 1; gives the volume's source, storage class and reclaim policy.", volumeInfo),
			gauge(Stable, "kube_persistentvolume_capacity_bytes", "Size of the volume, in bytes.", func(v *corev1.PersistentVolume, w *SampleWriter) {
				w.Value(wholeValue(v.Spec.Capacity[corev1.ResourceStorage]))
			}),
			createdFamily[corev1.PersistentVolume](Alpha, "kube_persistentvolume_created", "volume"),
			deletionFamily[corev1.PersistentVolume](Alpha, "kube_persistentvolume_deletion_timestamp", "volume"),
			optIn(withFields("spec.csi.volumeAttributes", gauge(Alpha, "kube_persistentvolume_csi_attributes", "Always 1; gives the mounter and the map options of the volume's CSI driver.", func(v *corev1.PersistentVolume, w *SampleWriter) {
				if csi := v.Spec.CSI; csi != nil {
					w.Sample(1, "csi_mounter", csi.VolumeAttributes["mounter"], "csi_map_options", csi.VolumeAttributes["mapOptions"])
				}
			}))),
			gauge(Alpha, "kube_persistentvolume_volume_mode", "Always 1; names the volume mode.", func(v *corev1.PersistentVolume, w *SampleWriter) {
				w.Sample(1, "volumemode", string(ptr.Deref(v.Spec.VolumeMode, corev1.PersistentVolumeFilesystem)))
			}),
			gauge(Alpha, "kube_persistentvolume_access_mode", "Always 1; names an access mode of the volume.", func(v *corev1.PersistentVolume, w *SampleWriter) { uniqueEach(w, "access_mode", v.Spec.AccessModes) }),
		},
	})
}

// volumeInfo sets the labels of the volume's source. The API allows one source; if there are several, the first one in
// the order of the labels counts.
func volumeInfo(v *corev1.PersistentVolume, w *SampleWriter) {
	labels := [...]string{
		"storageclass", v.Spec.StorageClassName,
		"gce_persistent_disk_name", "",
		"ebs_volume_id", "",
		"azure_disk_name", "",
		"fc_wwids", "",
		"fc_lun", "",
		"fc_target_wwns", "",
		"iscsi_target_portal", "",
		"iscsi_iqn", "",
		"iscsi_lun", "",
		"iscsi_initiator_name", "",
		"nfs_server", "",
		"nfs_path", "",
		"csi_driver", "",
		"csi_volume_handle", "",
		"local_path", "",
		"local_fs", "",
		"host_path", "",
		"host_path_type", "",
		"reclaim_policy", string(v.Spec.PersistentVolumeReclaimPolicy),
	}
	// set sets the value of the named label and of those after it.
	set := func(name string, values ...string) {
		for i := 0; i < len(labels); i += 2 {
			if labels[i] == name {
				for j, value := range values {
					labels[i+2*j+1] = value
				}
			}
		}
	}
	switch s := &v.Spec.PersistentVolumeSource; {
	case s.GCEPersistentDisk != nil:
		set("gce_persistent_disk_name", s.GCEPersistentDisk.PDName)
	case s.AWSElasticBlockStore != nil:
		set("ebs_volume_id", s.AWSElasticBlockStore.VolumeID)
	case s.AzureDisk != nil:
		set("azure_disk_name", s.AzureDisk.DiskName)
	case s.FC != nil:
		set("fc_wwids", strings.Join(s.FC.WWIDs, ","), optionalNumber(s.FC.Lun), strings.Join(s.FC.TargetWWNs, ","))
	case s.ISCSI != nil:
		set("iscsi_target_portal", s.ISCSI.TargetPortal, s.ISCSI.IQN,
			strconv.Itoa(int(s.ISCSI.Lun)), ptr.Deref(s.ISCSI.InitiatorName, ""))
	case s.NFS != nil:
		set("nfs_server", s.NFS.Server, s.NFS.Path)
	case s.CSI != nil:
		set("csi_driver", s.CSI.Driver, s.CSI.VolumeHandle)
	case s.Local != nil:
		set("local_path", s.Local.Path, ptr.Deref(s.Local.FSType, ""))
	case s.HostPath != nil:
		set("host_path", s.HostPath.Path, string(ptr.Deref(s.HostPath.Type, "")))
	}
	w.Sample(1, labels[:]...)
}
