package resources

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/statefleet/statefleet/internal/wire"
)

// configMaps returns the kind configmaps. Only metadata is requested, so the API server does not send the values.
func configMaps() Kind {
	return NewKind(definition[corev1.ConfigMap]{
		resource: corev1.SchemeGroupVersion.WithResource("configmaps"),
		identity: namespaceAndName[corev1.ConfigMap]("configmap"),
		form:     wire.Form{Metadata: true},
		families: []family[corev1.ConfigMap]{
			annotationsFamily[corev1.ConfigMap](Alpha, "kube_configmap_annotations", "config map"),
			labelsFamily[corev1.ConfigMap](Stable, "kube_configmap_labels", "config map"),
			gauge(Stable, "kube_configmap_info", "Always 1, for each config map.", func(c *corev1.ConfigMap, w *SampleWriter) { w.Value(1) }),
			createdFamily[corev1.ConfigMap](Stable, "kube_configmap_created", "config map"),
			resourceVersionFamily[corev1.ConfigMap](Alpha, "kube_configmap_metadata_resource_version", "config map"),
		},
	})
}
