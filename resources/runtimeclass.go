package resources

import nodev1 "k8s.io/api/node/v1"

func runtimeClasses() Kind {
	return NewKind(definition[nodev1.RuntimeClass]{
		resource: nodev1.SchemeGroupVersion.WithResource("runtimeclasses"),
		optional: true,
		identity: nameOnly[nodev1.RuntimeClass]("runtimeclass"),
		reads:    `handler`,
		families: []family[nodev1.RuntimeClass]{
			gauge(Alpha, "kube_runtimeclass_info", "Always 1; names the handler that runs the class's pods.", func(c *nodev1.RuntimeClass, w *SampleWriter) {
				w.Sample(1, "handler", c.Handler)
			}),
			createdFamily[nodev1.RuntimeClass](Alpha, "kube_runtimeclass_created", "runtime class"),
		},
	})
}
