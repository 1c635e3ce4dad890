package resources

import storagev1 "k8s.io/api/storage/v1"

func csiNodes() Kind {
	return NewKind(definition[storagev1.CSINode]{
		resource: storagev1.SchemeGroupVersion.WithResource("csinodes"),
		optional: true,
		identity: nameOnly[storagev1.CSINode]("csinode"),
		reads:    `spec.drivers.name spec.drivers.nodeID spec.drivers.allocatable.count`,
		families: []family[storagev1.CSINode]{
			gauge(Alpha, "kube_csinode_driver_info", "Always 1; names a CSI driver of the node, and the node as the driver does.", func(n *storagev1.CSINode, w *SampleWriter) {
				for _, d := range n.Spec.Drivers {
					w.UniqueSample(1, "driver", d.Name, "node_id", d.NodeID)
				}
			}),
			gauge(Alpha, "kube_csinode_driver_allocatable", "Number of volumes of a CSI driver that the node can use at most.", func(n *storagev1.CSINode, w *SampleWriter) {
				for _, d := range n.Spec.Drivers {
					if d.Allocatable != nil && d.Allocatable.Count != nil {
						w.UniqueSample(float64(*d.Allocatable.Count), "driver", d.Name)
					}
				}
			}),
		},
	})
}
