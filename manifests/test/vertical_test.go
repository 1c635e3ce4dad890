package test

import (
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// verticalPodAutoscaler has the fields of autoscaling.k8s.io/v1 that the chart can set. The autoscaler's own types
// are in a module with many dependencies.
type verticalPodAutoscaler struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		TargetRef    autoscalingv1.CrossVersionObjectReference `json:"targetRef"`
		UpdatePolicy struct {
			UpdateMode  string `json:"updateMode"`
			MinReplicas int32  `json:"minReplicas"`
		} `json:"updatePolicy"`
		ResourcePolicy struct {
			ContainerPolicies []struct {
				ContainerName       string                `json:"containerName"`
				ControlledResources []corev1.ResourceName `json:"controlledResources"`
				ControlledValues    string                `json:"controlledValues"`
				MinAllowed          corev1.ResourceList   `json:"minAllowed"`
				MaxAllowed          corev1.ResourceList   `json:"maxAllowed"`
			} `json:"containerPolicies"`
		} `json:"resourcePolicy"`
		Recommenders []struct {
			Name string `json:"name"`
		} `json:"recommenders"`
	} `json:"spec"`
}

// DeepCopyObject implements [runtime.Object]. The copy is shallow, because no test changes it.
func (v *verticalPodAutoscaler) DeepCopyObject() runtime.Object {
	c := *v
	return &c
}
