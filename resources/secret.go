package resources

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/statefleet/statefleet/internal/wire"
)

// secrets returns the kind secrets. Only metadata is requested and, for kube_secret_type, the column Type of the Table,
// so the API server does not send the values. (PartialObjectMetadata, the cheaper form, lacks the type.)
func secrets() Kind {
	return NewKind(definition[corev1.Secret]{
		resource: corev1.SchemeGroupVersion.WithResource("secrets"),
		identity: namespaceAndName[corev1.Secret]("secret"),
		form:     wire.Form{Metadata: true, Column: "Type", Field: "type"},
		families: []family[corev1.Secret]{
			gauge(Stable, "kube_secret_info", "Always 1, for each secret.", func(s *corev1.Secret, w *SampleWriter) { w.Value(1) }),
			withFields("type", gauge(Stable, "kube_secret_type", "Always 1; names the type of the secret.", func(s *corev1.Secret, w *SampleWriter) {
				w.Sample(1, "type", string(s.Type))
			})),
			annotationsFamily[corev1.Secret](Alpha, "kube_secret_annotations", "secret"),
			labelsFamily[corev1.Secret](Stable, "kube_secret_labels", "secret"),
			createdFamily[corev1.Secret](Stable, "kube_secret_created", "secret"),
			resourceVersionFamily[corev1.Secret](Alpha, "kube_secret_metadata_resource_version", "secret"),
			ownerFamily[corev1.Secret](Alpha, "kube_secret_owner", "secret"),
		},
	})
}
