package resources

import storagev1 "k8s.io/api/storage/v1"

func volumeAttachments() Kind {
	return NewKind(definition[storagev1.VolumeAttachment]{
		resource: storagev1.SchemeGroupVersion.WithResource("volumeattachments"),
		identity: nameOnly[storagev1.VolumeAttachment]("volumeattachment"),
		reads:    `spec.attacher spec.nodeName spec.source.persistentVolumeName status.attached`,
		families: []family[storagev1.VolumeAttachment]{
			// Unlike the labels families of other kinds, this one has no allowlist.
			withFields("metadata.labels", gauge(Alpha, "kube_volumeattachment_labels", "Always 1; gives the attachment's Kubernetes labels as label_ labels.", func(a *storagev1.VolumeAttachment, w *SampleWriter) {
				w.mapSample("label_", a.Labels, allowAll)
			})),
			gauge(Alpha, "kube_volumeattachment_info", "Always 1; names the driver that attaches the volume and the node.", func(a *storagev1.VolumeAttachment, w *SampleWriter) {
				w.Sample(1, "attacher", a.Spec.Attacher, "node", a.Spec.NodeName)
			}),
			createdFamily[storagev1.VolumeAttachment](Alpha, "kube_volumeattachment_created", "attachment"),
			gauge(Alpha, "kube_volumeattachment_spec_source_persistentvolume", "Always 1; names the persistent volume that is attached.", func(a *storagev1.VolumeAttachment, w *SampleWriter) {
				if name := a.Spec.Source.PersistentVolumeName; name != nil {
					w.Sample(1, "volumename", *name)
				}
			}),
			gauge(Alpha, "kube_volumeattachment_status_attached", "Whether the volume is attached, 1 or 0.", func(a *storagev1.VolumeAttachment, w *SampleWriter) { w.Bool(a.Status.Attached) }),
			withFields("status.attachmentMetadata", gauge(Alpha, "kube_volumeattachment_status_attachment_metadata", "Always 1; gives the driver's metadata of the attachment as metadata_ labels.", func(a *storagev1.VolumeAttachment, w *SampleWriter) {
				w.mapSample("metadata_", a.Status.AttachmentMetadata, allowAll)
			})),
		},
	})
}
