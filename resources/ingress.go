package resources

import (
	"strconv"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/utils/ptr"
)

func ingresses() Kind {
	return NewKind(definition[networkingv1.Ingress]{
		resource: networkingv1.SchemeGroupVersion.WithResource("ingresses"),
		identity: namespaceAndName[networkingv1.Ingress]("ingress"),
		reads: `spec.ingressClassName spec.rules.host spec.rules.http.paths.path spec.rules.http.paths.pathType
			spec.rules.http.paths.backend.service.name spec.rules.http.paths.backend.service.port.number
			spec.rules.http.paths.backend.resource
			spec.tls.hosts spec.tls.secretName`,
		families: []family[networkingv1.Ingress]{
			withFields("metadata.annotations", gauge(Stable, "kube_ingress_info", "Always 1; names the class of the ingress.", func(i *networkingv1.Ingress, w *SampleWriter) {
				w.Sample(1, "ingressclass", classOfIngress(i))
			})),
			annotationsFamily[networkingv1.Ingress](Alpha, "kube_ingress_annotations", "ingress"),
			labelsFamily[networkingv1.Ingress](Stable, "kube_ingress_labels", "ingress"),
			createdFamily[networkingv1.Ingress](Stable, "kube_ingress_created", "ingress"),
			resourceVersionFamily[networkingv1.Ingress](Alpha, "kube_ingress_metadata_resource_version", "ingress"),
			gauge(Stable, "kube_ingress_path", "Always 1; names a path that the ingress serves and the service or other object behind it.", ingressPaths),
			gauge(Stable, "kube_ingress_tls", "Always 1; names a host that the ingress serves with TLS and the secret with its certificate.", func(i *networkingv1.Ingress, w *SampleWriter) {
				for _, tls := range i.Spec.TLS {
					for _, host := range tls.Hosts {
						w.UniqueSample(1, "tls_host", host, "secret", tls.SecretName)
					}
				}
			}),
		},
	})
}

// classOfIngress prefers the annotation, which is older than the field, as controllers do. An ingress with neither has
// the default class.
func classOfIngress(i *networkingv1.Ingress) string {
	if class, ok := i.Annotations["kubernetes.io/ingress.class"]; ok {
		return class
	}
	return ptr.Deref(i.Spec.IngressClassName, "_default")
}

// ingressPaths skips paths without a backend. A port that is given by name has no number, so its label is 0.
func ingressPaths(i *networkingv1.Ingress, w *SampleWriter) {
	for r := range i.Spec.Rules {
		rule := &i.Spec.Rules[r]
		if rule.HTTP == nil {
			continue
		}
		for p := range rule.HTTP.Paths {
			path := &rule.HTTP.Paths[p]
			pathType := string(ptr.Deref(path.PathType, ""))
			switch {
			case path.Backend.Service != nil:
				s := path.Backend.Service
				w.UniqueSample(1, "host", rule.Host, "path", path.Path, "path_type", pathType,
					"service_name", s.Name, "service_port", strconv.Itoa(int(s.Port.Number)))
			case path.Backend.Resource != nil:
				o := path.Backend.Resource
				w.UniqueSample(1, "host", rule.Host, "path", path.Path, "path_type", pathType,
					"resource_api_group", ptr.Deref(o.APIGroup, ""), "resource_kind", o.Kind, "resource_name", o.Name)
			default:
				w.Skip()
			}
		}
	}
}
