package resources

import storagev1 "k8s.io/api/storage/v1"

func volumeAttributesClasses() Kind {
	return NewKind(definition[storagev1.VolumeAttributesClass]{
		resource: storagev1.SchemeGroupVersion.WithResource("volumeattributesclasses"),
		optional: true,
		identity: nameOnly[storagev1.VolumeAttributesClass]("volumeattributesclass"),
		reads:    `driverName`,
		families: []family[storagev1.VolumeAttributesClass]{
			gauge(Alpha, "kube_volumeattributesclass_info", "Always 1; names the driver whose volumes the class is for.", func(c *storagev1.VolumeAttributesClass, w *SampleWriter) {
				w.Sample(1, "driver_name", c.DriverName)
			}),
			createdFamily[storagev1.VolumeAttributesClass](Alpha, "kube_volumeattributesclass_created", "class"),
			annotationsFamily[storagev1.VolumeAttributesClass](Alpha, "kube_volumeattributesclass_annotations", "class"),
			labelsFamily[storagev1.VolumeAttributesClass](Alpha, "kube_volumeattributesclass_labels", "class"),
			mapFamily(Alpha, "kube_volumeattributesclass_parameters", "Always 1; gives the class's allowed parameters as parameter_ labels.",
				"parameter_", "parameters", parameterKeys, func(c *storagev1.VolumeAttributesClass) map[string]string { return c.Parameters }),
		},
	})
}

// DefaultParameterKeys returns the parameters of a volume's performance and type that the CSI drivers of AWS EBS,
// Google Persistent Disk and Azure Disk document. Other parameters are left out because a driver may define any, and
// their values may be confidential.
func DefaultParameterKeys() []string {
	return []string{
		"type", "iops", "throughput",
		"provisioned-iops", "provisioned-throughput",
		"skuName", "iopsReadWrite", "bandwidthMBps",
	}
}

// parameterKeys returns the parameters that become labels.
func parameterKeys(f Filter, _ string) *keys {
	if f.parameters != nil {
		return f.parameters
	}
	k, _ := parseKeys(DefaultParameterKeys()) // no key has two stars
	return k
}
