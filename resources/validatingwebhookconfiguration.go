package resources

import (
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/utils/ptr"
)

func validatingWebhookConfigurations() Kind {
	return NewKind(definition[admissionregistrationv1.ValidatingWebhookConfiguration]{
		resource: admissionregistrationv1.SchemeGroupVersion.WithResource("validatingwebhookconfigurations"),
		identity: emptyNamespaceAndName[admissionregistrationv1.ValidatingWebhookConfiguration]("validatingwebhookconfiguration"),
		reads:    `webhooks.name webhooks.clientConfig.service.name webhooks.clientConfig.service.namespace`,
		families: []family[admissionregistrationv1.ValidatingWebhookConfiguration]{
			gauge(Alpha, "kube_validatingwebhookconfiguration_info", "Always 1, for each configuration.", func(c *admissionregistrationv1.ValidatingWebhookConfiguration, w *SampleWriter) { w.Value(1) }),
			createdFamily[admissionregistrationv1.ValidatingWebhookConfiguration](Alpha, "kube_validatingwebhookconfiguration_created", "configuration"),
			resourceVersionFamily[admissionregistrationv1.ValidatingWebhookConfiguration](Alpha, "kube_validatingwebhookconfiguration_metadata_resource_version", "configuration"),
			gauge(Alpha, "kube_validatingwebhookconfiguration_webhook_clientconfig_service", "Always 1; names a webhook and the service that it calls, if it calls one.", func(c *admissionregistrationv1.ValidatingWebhookConfiguration, w *SampleWriter) {
				for i := range c.Webhooks {
					webhookService(w, c.Webhooks[i].Name, c.Webhooks[i].ClientConfig.Service)
				}
			}),
		},
	})
}

// webhookService writes the service of a webhook, for both kinds of configurations. The labels are empty for a webhook
// that is called by its URL.
func webhookService(w *SampleWriter, webhook string, service *admissionregistrationv1.ServiceReference) {
	s := ptr.Deref(service, admissionregistrationv1.ServiceReference{})
	w.UniqueSample(1, "webhook_name", webhook, "service_name", s.Name, "service_namespace", s.Namespace)
}
