package resources

import (
	"strconv"

	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/utils/ptr"
)

func resourceSlices() Kind {
	return NewKind(definition[resourcev1.ResourceSlice]{
		resource: resourcev1.SchemeGroupVersion.WithResource("resourceslices"),
		optional: true,
		identity: nameOnly[resourcev1.ResourceSlice]("resourceslice"),
		// Devices are only counted, so any field of them suffices.
		reads: `spec.driver spec.pool spec.nodeName spec.devices.name`,
		families: []family[resourcev1.ResourceSlice]{
			gauge(Alpha, "kube_resourceslice_info", "Always 1; names the driver, the pool and the node of the slice's devices, the pool's generation, and how many slices it has.", func(s *resourcev1.ResourceSlice, w *SampleWriter) {
				w.Sample(1,
					"driver", s.Spec.Driver,
					"pool", s.Spec.Pool.Name,
					"node", ptr.Deref(s.Spec.NodeName, ""),
					"generation", strconv.FormatInt(s.Spec.Pool.Generation, 10),
					"slice_count", strconv.FormatInt(s.Spec.Pool.ResourceSliceCount, 10))
			}),
			createdFamily[resourcev1.ResourceSlice](Alpha, "kube_resourceslice_created", "slice"),
			annotationsFamily[resourcev1.ResourceSlice](Alpha, "kube_resourceslice_annotations", "slice"),
			labelsFamily[resourcev1.ResourceSlice](Alpha, "kube_resourceslice_labels", "slice"),
			gauge(Alpha, "kube_resourceslice_devices", "Number of devices that the slice lists.", func(s *resourcev1.ResourceSlice, w *SampleWriter) { w.Int(int64(len(s.Spec.Devices))) }),
		},
	})
}
