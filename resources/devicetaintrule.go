package resources

import (
	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/utils/ptr"
)

func deviceTaintRules() Kind {
	return NewKind(definition[resourcev1.DeviceTaintRule]{
		resource: resourcev1.SchemeGroupVersion.WithResource("devicetaintrules"),
		optional: true,
		identity: nameOnly[resourcev1.DeviceTaintRule]("devicetaintrule"),
		reads:    `spec.deviceSelector spec.taint.key spec.taint.value spec.taint.effect`,
		families: []family[resourcev1.DeviceTaintRule]{
			gauge(Alpha, "kube_devicetaintrule_info", "Always 1; gives the devices that the rule selects, where empty means all, and the taint that they get.", func(r *resourcev1.DeviceTaintRule, w *SampleWriter) {
				selected := ptr.Deref(r.Spec.DeviceSelector, resourcev1.DeviceTaintSelector{})
				w.Sample(1,
					"driver", ptr.Deref(selected.Driver, ""),
					"pool", ptr.Deref(selected.Pool, ""),
					"device", ptr.Deref(selected.Device, ""),
					"key", r.Spec.Taint.Key,
					"value", r.Spec.Taint.Value,
					"effect", string(r.Spec.Taint.Effect))
			}),
			createdFamily[resourcev1.DeviceTaintRule](Alpha, "kube_devicetaintrule_created", "rule"),
		},
	})
}
