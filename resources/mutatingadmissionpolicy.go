package resources

import (
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/utils/ptr"
)

func mutatingAdmissionPolicies() Kind {
	return NewKind(definition[admissionregistrationv1.MutatingAdmissionPolicy]{
		resource: admissionregistrationv1.SchemeGroupVersion.WithResource("mutatingadmissionpolicies"),
		identity: emptyNamespaceAndName[admissionregistrationv1.MutatingAdmissionPolicy]("mutatingadmissionpolicy"),
		reads:    `spec.paramKind spec.failurePolicy spec.reinvocationPolicy`,
		families: []family[admissionregistrationv1.MutatingAdmissionPolicy]{
			gauge(Alpha, "kube_mutatingadmissionpolicy_info", "Always 1; names the parameter kind, failure policy and reinvocation policy of the policy.", func(p *admissionregistrationv1.MutatingAdmissionPolicy, w *SampleWriter) {
				param := ptr.Deref(p.Spec.ParamKind, admissionregistrationv1.ParamKind{})
				w.Sample(1,
					"param_api_version", param.APIVersion,
					"param_kind", param.Kind,
					"failure_policy", string(ptr.Deref(p.Spec.FailurePolicy, "")),
					"reinvocation_policy", string(p.Spec.ReinvocationPolicy))
			}),
			createdFamily[admissionregistrationv1.MutatingAdmissionPolicy](Alpha, "kube_mutatingadmissionpolicy_created", "policy"),
		},
	})
}
