package resources

import admissionregistrationv1 "k8s.io/api/admissionregistration/v1"

func mutatingAdmissionPolicyBindings() Kind {
	return NewKind(definition[admissionregistrationv1.MutatingAdmissionPolicyBinding]{
		resource: admissionregistrationv1.SchemeGroupVersion.WithResource("mutatingadmissionpolicybindings"),
		identity: emptyNamespaceAndName[admissionregistrationv1.MutatingAdmissionPolicyBinding]("mutatingadmissionpolicybinding"),
		reads:    `spec.policyName spec.paramRef.name spec.paramRef.namespace spec.paramRef.parameterNotFoundAction`,
		families: []family[admissionregistrationv1.MutatingAdmissionPolicyBinding]{
			gauge(Alpha, "kube_mutatingadmissionpolicybinding_info", "Always 1; names the bound policy, its parameters and the action when these are missing.", func(b *admissionregistrationv1.MutatingAdmissionPolicyBinding, w *SampleWriter) {
				policyBinding(w, b.Spec.PolicyName, b.Spec.ParamRef)
			}),
			createdFamily[admissionregistrationv1.MutatingAdmissionPolicyBinding](Alpha, "kube_mutatingadmissionpolicybinding_created", "binding"),
		},
	})
}
