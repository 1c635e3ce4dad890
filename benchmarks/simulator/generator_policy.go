package simulator

import (
	"fmt"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// quota and limits are what each namespace has.
func (g *generator) quota(namespace string) *corev1.ResourceQuota {
	hard := corev1.ResourceList{
		corev1.ResourcePods:           *resource.NewQuantity(500, resource.DecimalSI),
		corev1.ResourceRequestsCPU:    *resource.NewQuantity(400, resource.DecimalSI),
		corev1.ResourceRequestsMemory: *resource.NewQuantity(1<<40, resource.BinarySI),
	}
	used := corev1.ResourceList{
		corev1.ResourcePods:           *resource.NewQuantity(g.random.Int64N(500), resource.DecimalSI),
		corev1.ResourceRequestsCPU:    *resource.NewMilliQuantity(g.random.Int64N(400_000), resource.DecimalSI),
		corev1.ResourceRequestsMemory: *resource.NewQuantity(g.random.Int64N(1<<40), resource.BinarySI),
	}
	return &corev1.ResourceQuota{
		ObjectMeta: g.meta(namespace, "compute", nil),
		Spec:       corev1.ResourceQuotaSpec{Hard: hard},
		Status:     corev1.ResourceQuotaStatus{Hard: hard, Used: used},
	}
}

func (g *generator) limits(namespace string) *corev1.LimitRange {
	list := func(milliCPU, memory int64) corev1.ResourceList {
		return corev1.ResourceList{
			corev1.ResourceCPU: *resource.NewMilliQuantity(milliCPU, resource.DecimalSI), corev1.ResourceMemory: *resource.NewQuantity(memory, resource.BinarySI),
		}
	}
	return &corev1.LimitRange{
		ObjectMeta: g.meta(namespace, "defaults", nil),
		Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{
			Type: corev1.LimitTypeContainer, Default: list(500, 512<<20), DefaultRequest: list(100, 128<<20), Max: list(8000, 16<<30), Min: list(10, 16<<20),
		}}},
	}
}

func (g *generator) makePolicies() {
	for i := range g.spec.HorizontalPodAutoscalers {
		g.put(g.autoscaler(i))
	}
	for i := range g.spec.PodDisruptionBudgets {
		w := g.app(i)
		most := intstr.FromInt32(1)
		g.put(&policyv1.PodDisruptionBudget{
			ObjectMeta: g.meta(w.namespace, g.numbered(w, i), w.labels),
			Spec:       policyv1.PodDisruptionBudgetSpec{MaxUnavailable: &most, Selector: w.labelSelector()},
			Status: policyv1.PodDisruptionBudgetStatus{
				ObservedGeneration: 1, DisruptionsAllowed: 1, CurrentHealthy: w.replicas, DesiredHealthy: max(0, w.replicas-1), ExpectedPods: w.replicas,
			},
		})
	}
}

func (g *generator) autoscaler(i int) *autoscalingv2.HorizontalPodAutoscaler {
	w := g.app(i)
	least, target, now := int32(2), int32(70), g.random.Int32N(100)
	scaled := g.ago(g.within(1000 * time.Hour))
	autoscaler := &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: g.meta(w.namespace, g.numbered(w, i), w.labels),
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: w.apiVersion, Kind: w.kind, Name: w.name},
			MinReplicas:    &least, MaxReplicas: 20,
			Metrics: []autoscalingv2.MetricSpec{{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{
				Name: corev1.ResourceCPU, Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: &target},
			}}},
		},
		Status: autoscalingv2.HorizontalPodAutoscalerStatus{
			CurrentReplicas: w.replicas, DesiredReplicas: w.replicas, LastScaleTime: &scaled,
			CurrentMetrics: []autoscalingv2.MetricStatus{{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricStatus{
				Name: corev1.ResourceCPU, Current: autoscalingv2.MetricValueStatus{AverageUtilization: &now, AverageValue: resource.NewMilliQuantity(int64(now)*5, resource.DecimalSI)},
			}}},
			Conditions: []autoscalingv2.HorizontalPodAutoscalerCondition{
				{Type: autoscalingv2.AbleToScale, Status: corev1.ConditionTrue, Reason: "ReadyForNewScale", LastTransitionTime: scaled},
				{Type: autoscalingv2.ScalingActive, Status: corev1.ConditionTrue, Reason: "ValidMetricFound", LastTransitionTime: scaled},
				{Type: autoscalingv2.ScalingLimited, Status: corev1.ConditionFalse, Reason: "DesiredWithinRange", LastTransitionTime: scaled},
			},
		},
	}
	autoscaler.ManagedFields = []metav1.ManagedFieldsEntry{managed("helm", "autoscaling/v2", "", autoscaler.CreationTimestamp, ownedFields(autoscaler, "metadata", "spec"))}
	return autoscaler
}

// makeAdmission makes webhooks and admission policies.
func (g *generator) makeAdmission() {
	path, none := "/admit", admissionregistrationv1.SideEffectClassNone
	client := admissionregistrationv1.WebhookClientConfig{Service: &admissionregistrationv1.ServiceReference{Namespace: g.namespace(1), Name: "policy", Path: &path}}
	versions := []string{"v1"}
	for i := range g.spec.MutatingWebhooks {
		g.put(&admissionregistrationv1.MutatingWebhookConfiguration{
			ObjectMeta: g.meta("", fmt.Sprintf("mutate-%d", i), nil),
			Webhooks:   []admissionregistrationv1.MutatingWebhook{{Name: "mutate.example.com", ClientConfig: client, SideEffects: &none, AdmissionReviewVersions: versions}},
		})
	}
	for i := range g.spec.ValidatingWebhooks {
		g.put(&admissionregistrationv1.ValidatingWebhookConfiguration{
			ObjectMeta: g.meta("", fmt.Sprintf("validate-%d", i), nil),
			Webhooks:   []admissionregistrationv1.ValidatingWebhook{{Name: "validate.example.com", ClientConfig: client, SideEffects: &none, AdmissionReviewVersions: versions}},
		})
	}
	for i := range g.spec.MutatingAdmissionPolicies {
		name := fmt.Sprintf("defaults-%d", i)
		g.put(&admissionregistrationv1.MutatingAdmissionPolicy{ObjectMeta: g.meta("", name, nil)})
		g.put(&admissionregistrationv1.MutatingAdmissionPolicyBinding{
			ObjectMeta: g.meta("", name, nil), Spec: admissionregistrationv1.MutatingAdmissionPolicyBindingSpec{PolicyName: name},
		})
	}
	for i := range g.spec.ValidatingAdmissionPolicies {
		name := fmt.Sprintf("baseline-%d", i)
		g.put(&admissionregistrationv1.ValidatingAdmissionPolicy{
			ObjectMeta: g.meta("", name, nil),
			Spec:       admissionregistrationv1.ValidatingAdmissionPolicySpec{Validations: []admissionregistrationv1.Validation{{Expression: "object.spec.replicas < 100"}}},
		})
		g.put(&admissionregistrationv1.ValidatingAdmissionPolicyBinding{
			ObjectMeta: g.meta("", name, nil), Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{PolicyName: name},
		})
	}
}
