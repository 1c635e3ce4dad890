package resources

import admissionregistrationv1 "k8s.io/api/admissionregistration/v1"

func mutatingWebhookConfigurations() Kind {
	return NewKind(definition[admissionregistrationv1.MutatingWebhookConfiguration]{
		resource: admissionregistrationv1.SchemeGroupVersion.WithResource("mutatingwebhookconfigurations"),
		identity: emptyNamespaceAndName[admissionregistrationv1.MutatingWebhookConfiguration]("mutatingwebhookconfiguration"),
		reads:    `webhooks.name webhooks.clientConfig.service.name webhooks.clientConfig.service.namespace`,
		families: []family[admissionregistrationv1.MutatingWebhookConfiguration]{
			gauge(Alpha, "kube_mutatingwebhookconfiguration_info", "Always 1, for each configuration.", func(c *admissionregistrationv1.MutatingWebhookConfiguration, w *SampleWriter) { w.Value(1) }),
			createdFamily[admissionregistrationv1.MutatingWebhookConfiguration](Alpha, "kube_mutatingwebhookconfiguration_created", "configuration"),
			resourceVersionFamily[admissionregistrationv1.MutatingWebhookConfiguration](Alpha, "kube_mutatingwebhookconfiguration_metadata_resource_version", "configuration"),
			gauge(Alpha, "kube_mutatingwebhookconfiguration_webhook_clientconfig_service", "Always 1; names a webhook and the service that it calls, if it calls one.", func(c *admissionregistrationv1.MutatingWebhookConfiguration, w *SampleWriter) {
				for i := range c.Webhooks {
					webhookService(w, c.Webhooks[i].Name, c.Webhooks[i].ClientConfig.Service)
				}
			}),
		},
	})
}
