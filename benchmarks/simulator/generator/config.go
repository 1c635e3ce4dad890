package generator

import (
	"fmt"
	"strings"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/statefleet/statefleet/benchmarks/simulator"
)

// putConfig generates ConfigMaps, Secrets and ServiceAccounts.
func (g *generator) putConfig() {
	g.putEach(g.spec.configMaps, func(i int) simulator.Object {
		name := g.app(i).name
		endpoint := fmt.Sprintf("%s:\n  endpoint: https://%s.svc:443\n  timeout: 5s\n", name, name)
		return &corev1.ConfigMap{
			ObjectMeta: g.appMeta(i),
			Data:       map[string]string{"config.yaml": strings.Repeat(endpoint, 2+i%12), "log.level": "info"},
		}
	})
	g.putEach(g.spec.secrets, func(i int) simulator.Object {
		token := make([]byte, 64+i%512)
		for j := range token {
			token[j] = byte(g.random.Uint32())
		}
		return &corev1.Secret{
			ObjectMeta: g.appMeta(i),
			Type:       pick(g, corev1.SecretTypeOpaque, corev1.SecretTypeTLS, corev1.SecretTypeDockerConfigJson),
			Data:       map[string][]byte{"token": token},
		}
	})
	g.putEach(g.spec.serviceAccounts, func(i int) simulator.Object {
		return manifest[*corev1.ServiceAccount](g, g.appMeta(i))
	})
}

// putRBAC generates Roles, ClusterRoles and their bindings.
func (g *generator) putRBAC() {
	clusterRole := func(i int) string { return fmt.Sprintf("cluster-%s-%d", appName(i), i) }
	g.putEach(g.spec.clusterRoles, func(i int) simulator.Object {
		return manifest[*rbacv1.ClusterRole](g, g.meta("", clusterRole(i), nil))
	})
	g.putEach(g.spec.clusterRoleBindings, func(i int) simulator.Object {
		binding := manifest[*rbacv1.ClusterRoleBinding](g, g.meta("", clusterRole(i), nil))
		binding.RoleRef.Name = binding.Name
		binding.Subjects[0].Name, binding.Subjects[0].Namespace = appName(i), g.namespace(i)
		return binding
	})
	g.putEach(g.spec.roles, func(i int) simulator.Object {
		return manifest[*rbacv1.Role](g, g.meta(g.namespace(i), numbered(appName(i), i), nil))
	})
	g.putEach(g.spec.roleBindings, func(i int) simulator.Object {
		binding := manifest[*rbacv1.RoleBinding](g, g.meta(g.namespace(i), numbered(appName(i), i), nil))
		binding.RoleRef.Name, binding.Subjects[0].Name = appName(i), team(i)
		return binding
	})
}

func (g *generator) putSigningRequests() {
	g.putEach(g.spec.certificateSigningRequests, func(int) simulator.Object {
		request := manifest[*certificatesv1.CertificateSigningRequest](g, g.meta("", "csr-"+g.suffix(), nil))
		const pem = "-----BEGIN CERTIFICATE REQUEST-----\n%s\n-----END CERTIFICATE REQUEST-----\n"
		request.Spec.Request = fmt.Appendf(nil, pem, g.randomText(600))
		request.Spec.Username = "system:node:" + g.randomNode().name
		if g.chance(90) {
			request.Status.Conditions = []certificatesv1.CertificateSigningRequestCondition{{
				Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue, Reason: "AutoApproved",
				LastUpdateTime: request.CreationTimestamp, LastTransitionTime: request.CreationTimestamp,
			}}
			request.Status.Certificate = []byte(g.randomText(900))
		}
		return request
	})
}

// putPolicies generates autoscalers and disruption budgets.
func (g *generator) putPolicies() {
	g.putEach(g.spec.horizontalPodAutoscalers, g.autoscaler)
	g.putEach(g.spec.podDisruptionBudgets, func(i int) simulator.Object {
		w, budget := g.app(i), manifest[*policyv1.PodDisruptionBudget](g, g.appMeta(i))
		budget.Spec.Selector = w.labelSelector()
		budget.Status.CurrentHealthy, budget.Status.ExpectedPods = w.replicas, w.replicas
		budget.Status.DesiredHealthy = max(0, w.replicas-1)
		return budget
	})
}

func (g *generator) autoscaler(i int) simulator.Object {
	w, usage := g.app(i), g.random.Int32N(100)
	scaled := g.ago(g.within(1000 * time.Hour))
	autoscaler := manifest[*autoscalingv2.HorizontalPodAutoscaler](g, g.appMeta(i))
	autoscaler.Spec.ScaleTargetRef = autoscalingv2.CrossVersionObjectReference{
		APIVersion: w.apiVersion, Kind: w.kind, Name: w.name,
	}
	status := &autoscaler.Status
	status.CurrentReplicas, status.DesiredReplicas, status.LastScaleTime = w.replicas, w.replicas, &scaled
	current := &status.CurrentMetrics[0].Resource.Current
	current.AverageUtilization = &usage
	current.AverageValue = resource.NewMilliQuantity(int64(usage)*5, resource.DecimalSI)
	for j := range status.Conditions {
		status.Conditions[j].LastTransitionTime = scaled
	}
	autoscaler.ManagedFields = managedFieldsOf("helm", "autoscaling/v2", autoscaler.CreationTimestamp, autoscaler)
	return autoscaler
}

// putAdmission generates webhook configurations and admission policies.
func (g *generator) putAdmission() {
	namespace := g.namespace(1) // of the webhooks' service
	g.putEach(g.spec.mutatingWebhooks, func(i int) simulator.Object {
		c := manifest[*admissionregistrationv1.MutatingWebhookConfiguration](g, g.meta("", numbered("mutate", i), nil))
		c.Webhooks[0].ClientConfig.Service.Namespace = namespace
		return c
	})
	g.putEach(g.spec.validatingWebhooks, func(i int) simulator.Object {
		c := manifest[*admissionregistrationv1.ValidatingWebhookConfiguration](g, g.meta("", numbered("validate", i), nil))
		c.Webhooks[0].ClientConfig.Service.Namespace = namespace
		return c
	})
	for i := range g.spec.mutatingAdmissionPolicies {
		name := numbered("defaults", i)
		g.put(&admissionregistrationv1.MutatingAdmissionPolicy{ObjectMeta: g.meta("", name, nil)})
		g.put(&admissionregistrationv1.MutatingAdmissionPolicyBinding{
			ObjectMeta: g.meta("", name, nil),
			Spec:       admissionregistrationv1.MutatingAdmissionPolicyBindingSpec{PolicyName: name},
		})
	}
	for i := range g.spec.validatingAdmissionPolicies {
		name := numbered("baseline", i)
		g.put(manifest[*admissionregistrationv1.ValidatingAdmissionPolicy](g, g.meta("", name, nil)))
		g.put(&admissionregistrationv1.ValidatingAdmissionPolicyBinding{
			ObjectMeta: g.meta("", name, nil),
			Spec:       admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{PolicyName: name},
		})
	}
}
