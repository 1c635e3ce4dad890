package seed

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func (s *seeder) deployments(ctx context.Context) error {
	unavailable, surge := intstr.FromString("25%"), intstr.FromInt32(1)
	deployment, err := putStatus(ctx, s.client.AppsV1().Deployments(Shop), &appsv1.Deployment{
		ObjectMeta: meta(Shop, "web"),
		Spec: appsv1.DeploymentSpec{
			Replicas: ptr(int32(3)), Selector: selector("web"), Template: template("web"),
			Strategy: appsv1.DeploymentStrategy{Type: appsv1.RollingUpdateDeploymentStrategyType,
				RollingUpdate: &appsv1.RollingUpdateDeployment{MaxUnavailable: &unavailable, MaxSurge: &surge}},
		},
		Status: appsv1.DeploymentStatus{
			ObservedGeneration: 1, Replicas: 3, UpdatedReplicas: 3, ReadyReplicas: 2, AvailableReplicas: 2, UnavailableReplicas: 1,
			Conditions: []appsv1.DeploymentCondition{
				{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionTrue, Reason: "MinimumReplicasAvailable"},
				{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionFalse, Reason: "ProgressDeadlineExceeded"},
			},
		},
	})
	if err != nil {
		return err
	}
	set := &appsv1.ReplicaSet{
		ObjectMeta: meta(Shop, "web-7d9f"),
		Spec:       appsv1.ReplicaSetSpec{Replicas: ptr(int32(3)), Selector: selector("web"), Template: template("web")},
		Status:     appsv1.ReplicaSetStatus{ObservedGeneration: 1, Replicas: 3, FullyLabeledReplicas: 3, ReadyReplicas: 2, AvailableReplicas: 2},
	}
	set.OwnerReferences = []metav1.OwnerReference{owner("apps/v1", "Deployment", deployment)}
	if set, err = putStatus(ctx, s.client.AppsV1().ReplicaSets(Shop), set); err != nil {
		return err
	}
	s.replicaSet = owner("apps/v1", "ReplicaSet", set)
	return nil
}

func (s *seeder) statefulSets(ctx context.Context) error {
	_, err := putStatus(ctx, s.client.AppsV1().StatefulSets(Shop), &appsv1.StatefulSet{
		ObjectMeta: meta(Shop, "db"),
		Spec: appsv1.StatefulSetSpec{
			Replicas: ptr(int32(2)), ServiceName: "db", Selector: selector("db"), Template: template("db"),
			Ordinals: &appsv1.StatefulSetOrdinals{Start: 1},
			PersistentVolumeClaimRetentionPolicy: &appsv1.StatefulSetPersistentVolumeClaimRetentionPolicy{
				WhenDeleted: appsv1.RetainPersistentVolumeClaimRetentionPolicyType,
				WhenScaled:  appsv1.DeletePersistentVolumeClaimRetentionPolicyType,
			},
		},
		Status: appsv1.StatefulSetStatus{ObservedGeneration: 1, Replicas: 2, ReadyReplicas: 2, AvailableReplicas: 2, CurrentReplicas: 2,
			UpdatedReplicas: 1, CurrentRevision: "db-1", UpdateRevision: "db-2"},
	})
	return err
}

func (s *seeder) daemonSets(ctx context.Context) error {
	_, err := putStatus(ctx, s.client.AppsV1().DaemonSets(Shop), &appsv1.DaemonSet{
		ObjectMeta: meta(Shop, "agent"),
		Spec:       appsv1.DaemonSetSpec{Selector: selector("agent"), Template: template("agent")},
		Status: appsv1.DaemonSetStatus{ObservedGeneration: 1, CurrentNumberScheduled: 4, DesiredNumberScheduled: 4, NumberReady: 3,
			NumberAvailable: 3, NumberUnavailable: 1, UpdatedNumberScheduled: 4, NumberMisscheduled: 1},
	})
	return err
}

func (s *seeder) replicationControllers(ctx context.Context) error {
	pod := template("legacy")
	_, err := putStatus(ctx, s.client.CoreV1().ReplicationControllers(Shop), &corev1.ReplicationController{
		ObjectMeta: meta(Shop, "legacy"),
		Spec:       corev1.ReplicationControllerSpec{Replicas: ptr(int32(2)), Selector: pod.Labels, Template: &pod},
		Status:     corev1.ReplicationControllerStatus{ObservedGeneration: 1, Replicas: 2, FullyLabeledReplicas: 2, ReadyReplicas: 1, AvailableReplicas: 1},
	})
	return err
}

func (s *seeder) autoscalers(ctx context.Context) error {
	average := resource.MustParse("40m")
	_, err := putStatus(ctx, s.client.AutoscalingV2().HorizontalPodAutoscalers(Shop), &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: meta(Shop, "web"),
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"},
			MinReplicas:    ptr(int32(2)), MaxReplicas: 9,
			Metrics: []autoscalingv2.MetricSpec{{
				Type: autoscalingv2.ResourceMetricSourceType,
				Resource: &autoscalingv2.ResourceMetricSource{Name: corev1.ResourceCPU,
					Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: ptr(int32(70))}},
			}},
		},
		Status: autoscalingv2.HorizontalPodAutoscalerStatus{
			ObservedGeneration: ptr(int64(1)), CurrentReplicas: 3, DesiredReplicas: 4, LastScaleTime: after(3),
			CurrentMetrics: []autoscalingv2.MetricStatus{{
				Type: autoscalingv2.ResourceMetricSourceType,
				Resource: &autoscalingv2.ResourceMetricStatus{Name: corev1.ResourceCPU,
					Current: autoscalingv2.MetricValueStatus{AverageUtilization: ptr(int32(65)), AverageValue: &average}},
			}},
			Conditions: []autoscalingv2.HorizontalPodAutoscalerCondition{
				{Type: autoscalingv2.AbleToScale, Status: corev1.ConditionTrue, Reason: "ReadyForNewScale"},
			},
		},
	})
	return err
}

func selector(app string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}
}

func template(app string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": app}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{container("main")}},
	}
}

func ptr[T any](v T) *T { return &v }
