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
			gauge(Stable, "kube_persistentvolume_info", "Always 1; tells where the volume's data is, its storage class and what becomes of it when it is released.", volumeInfo),
			gauge(Stable, "kube_persistentvolume_capacity_bytes", "Size of the volume, in bytes.", func(v *corev1.PersistentVolume, w *SampleWriter) {
				w.Value(wholeValue(v.Spec.Capacity[corev1.ResourceStorage]))
			}),
			createdFamily[corev1.PersistentVolume](Alpha, "kube_persistentvolume_created", "volume"),
			deletionFamily[corev1.PersistentVolume](Alpha, "kube_persistentvolume_deletion_timestamp", "volume"),
			optIn(withField("spec.csi.volumeAttributes", gauge(Alpha, "kube_persistentvolume_csi_attributes", "Always 1; tells how the volume's CSI driver mounts it.", func(v *corev1.PersistentVolume, w *SampleWriter) {
				if csi := v.Spec.CSI; csi != nil {
					w.Sample(1, "csi_mounter", csi.VolumeAttributes["mounter"], "csi_map_options", csi.VolumeAttributes["mapOptions"])
				}
			}))),
			gauge(Alpha, "kube_persistentvolume_volume_mode", "Always 1; names the volume mode.", func(v *corev1.PersistentVolume, w *SampleWriter) {
				w.Sample(1, "volumemode", string(ptr.Deref(v.Spec.VolumeMode, corev1.PersistentVolumeFilesystem)))
			}),
			gauge(Alpha, "kube_persistentvolume_access_mode", "Always 1; names an access mode of the volume.", func(v *corev1.PersistentVolume, w *SampleWriter) {
				for _, mode := range v.Spec.AccessModes {
					w.UniqueSample(1, "access_mode", string(mode))
				}
			}),
		},
	})
}

// volumeLabels are the labels that tell where a volume's data is.
type volumeLabels struct {
	gceDisk, ebsID, azureDisk string
	fcWWIDs, fcLUN, fcTargets string
	iscsiPortal, iscsiIQN     string
	iscsiLUN, iscsiInitiator  string
	nfsServer, nfsPath        string
	csiDriver, csiHandle      string
	localPath, localFS        string
	hostPath, hostPathType    string
}

func volumeInfo(v *corev1.PersistentVolume, w *SampleWriter) {
	l := volumeSource(&v.Spec.PersistentVolumeSource)
	w.Sample(1,
		"storageclass", v.Spec.StorageClassName,
		"gce_persistent_disk_name", l.gceDisk,
		"ebs_volume_id", l.ebsID,
		"azure_disk_name", l.azureDisk,
		"fc_wwids", l.fcWWIDs,
		"fc_lun", l.fcLUN,
		"fc_target_wwns", l.fcTargets,
		"iscsi_target_portal", l.iscsiPortal,
		"iscsi_iqn", l.iscsiIQN,
		"iscsi_lun", l.iscsiLUN,
		"iscsi_initiator_name", l.iscsiInitiator,
		"nfs_server", l.nfsServer,
		"nfs_path", l.nfsPath,
		"csi_driver", l.csiDriver,
		"csi_volume_handle", l.csiHandle,
		"local_path", l.localPath,
		"local_fs", l.localFS,
		"host_path", l.hostPath,
		"host_path_type", l.hostPathType,
		"reclaim_policy", string(v.Spec.PersistentVolumeReclaimPolicy))
}

// volumeSource fills in the labels of the source that the volume has. The API
// allows one; of several the first in the order of the labels counts.
func volumeSource(s *corev1.PersistentVolumeSource) (l volumeLabels) {
	switch {
	case s.GCEPersistentDisk != nil:
		l.gceDisk = s.GCEPersistentDisk.PDName
	case s.AWSElasticBlockStore != nil:
		l.ebsID = s.AWSElasticBlockStore.VolumeID
	case s.AzureDisk != nil:
		l.azureDisk = s.AzureDisk.DiskName
	case s.FC != nil:
		l.fcWWIDs, l.fcTargets = strings.Join(s.FC.WWIDs, ","), strings.Join(s.FC.TargetWWNs, ",")
		if s.FC.Lun != nil {
			l.fcLUN = strconv.Itoa(int(*s.FC.Lun))
		}
	case s.ISCSI != nil:
		l.iscsiPortal, l.iscsiIQN = s.ISCSI.TargetPortal, s.ISCSI.IQN
		l.iscsiLUN, l.iscsiInitiator = strconv.Itoa(int(s.ISCSI.Lun)), ptr.Deref(s.ISCSI.InitiatorName, "")
	case s.NFS != nil:
		l.nfsServer, l.nfsPath = s.NFS.Server, s.NFS.Path
	case s.CSI != nil:
		l.csiDriver, l.csiHandle = s.CSI.Driver, s.CSI.VolumeHandle
	case s.Local != nil:
		l.localPath, l.localFS = s.Local.Path, ptr.Deref(s.Local.FSType, "")
	case s.HostPath != nil:
		l.hostPath, l.hostPathType = s.HostPath.Path, string(ptr.Deref(s.HostPath.Type, ""))
	}
	return l
}
