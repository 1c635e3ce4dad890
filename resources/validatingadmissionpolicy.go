package resources

import (
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/utils/ptr"
)

func validatingAdmissionPolicies() Kind {
	return NewKind(definition[admissionregistrationv1.ValidatingAdmissionPolicy]{
		resource: admissionregistrationv1.SchemeGroupVersion.WithResource("validatingadmissionpolicies"),
		identity: emptyNamespaceAndName[admissionregistrationv1.ValidatingAdmissionPolicy]("validatingadmissionpolicy"),
		reads:    `spec.paramKind spec.failurePolicy`,
		families: []family[admissionregistrationv1.ValidatingAdmissionPolicy]{
			gauge(Alpha, "kube_validatingadmissionpolicy_info", "Always 1; names the parameter kind and the failure policy of the policy.", func(p *admissionregistrationv1.ValidatingAdmissionPolicy, w *SampleWriter) {
				param := ptr.Deref(p.Spec.ParamKind, admissionregistrationv1.ParamKind{})
				w.Sample(1,
					"param_api_version", param.APIVersion,
					"param_kind", param.Kind,
					"failure_policy", string(ptr.Deref(p.Spec.FailurePolicy, "")))
			}),
			createdFamily[admissionregistrationv1.ValidatingAdmissionPolicy](Alpha, "kube_validatingadmissionpolicy_created", "policy"),
		},
	})
}
