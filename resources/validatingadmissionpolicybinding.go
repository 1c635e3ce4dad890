package resources

import (
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/utils/ptr"
)

func validatingAdmissionPolicyBindings() Kind {
	return NewKind(definition[admissionregistrationv1.ValidatingAdmissionPolicyBinding]{
		resource: admissionregistrationv1.SchemeGroupVersion.WithResource("validatingadmissionpolicybindings"),
		identity: emptyNamespaceAndName[admissionregistrationv1.ValidatingAdmissionPolicyBinding]("validatingadmissionpolicybinding"),
		reads: `spec.policyName spec.paramRef.name spec.paramRef.namespace spec.paramRef.parameterNotFoundAction
			spec.validationActions`,
		families: []family[admissionregistrationv1.ValidatingAdmissionPolicyBinding]{
			gauge(Alpha, "kube_validatingadmissionpolicybinding_info", "Always 1; names the bound policy, its parameters and the action when these are missing.", func(b *admissionregistrationv1.ValidatingAdmissionPolicyBinding, w *SampleWriter) {
				policyBinding(w, b.Spec.PolicyName, b.Spec.ParamRef)
			}),
			createdFamily[admissionregistrationv1.ValidatingAdmissionPolicyBinding](Alpha, "kube_validatingadmissionpolicybinding_created", "binding"),
			gauge(Alpha, "kube_validatingadmissionpolicybinding_validation_action", "Always 1; names an action on requests that fail the policy.", func(b *admissionregistrationv1.ValidatingAdmissionPolicyBinding, w *SampleWriter) {
				uniqueEach(w, "action", b.Spec.ValidationActions)
			}),
		},
	})
}

// policyBinding writes the sample of a binding. Both kinds of policies have the same labels.
func policyBinding(w *SampleWriter, policy string, ref *admissionregistrationv1.ParamRef) {
	param := ptr.Deref(ref, admissionregistrationv1.ParamRef{})
	w.Sample(1,
		"policy_name", policy,
		"param_name", param.Name,
		"param_namespace", param.Namespace,
		"param_not_found_action", string(ptr.Deref(param.ParameterNotFoundAction, "")))
}
