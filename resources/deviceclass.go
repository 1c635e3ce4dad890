package resources

import (
	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/utils/ptr"
)

func deviceClasses() Kind {
	return NewKind(definition[resourcev1.DeviceClass]{
		resource: resourcev1.SchemeGroupVersion.WithResource("deviceclasses"),
		optional: true,
		identity: nameOnly[resourcev1.DeviceClass]("deviceclass"),
		reads:    `spec.extendedResourceName`,
		families: []family[resourcev1.DeviceClass]{
			gauge(Alpha, "kube_deviceclass_info", "Always 1; names the extended resource by which pods may ask for devices of the class.", func(c *resourcev1.DeviceClass, w *SampleWriter) {
				w.Sample(1, "extended_resource_name", ptr.Deref(c.Spec.ExtendedResourceName, ""))
			}),
			createdFamily[resourcev1.DeviceClass](Alpha, "kube_deviceclass_created", "device class"),
			annotationsFamily[resourcev1.DeviceClass](Alpha, "kube_deviceclass_annotations", "device class"),
			labelsFamily[resourcev1.DeviceClass](Alpha, "kube_deviceclass_labels", "device class"),
		},
	})
}
