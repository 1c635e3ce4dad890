package seed

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// pods makes n pods of a ReplicaSet, in turn running, waiting, evicted and crashed, and one pod of a job.
func (s *seeder) pods(ctx context.Context, n int) error {
	for i := range n {
		pod := NewPod(fmt.Sprintf("web-%04d", i), i)
		pod.OwnerReferences = []metav1.OwnerReference{s.replicaSet}
		if _, err := PutPod(ctx, s.client, pod); err != nil {
			return err
		}
	}
	done := NewPod("report-running-x", 0)
	done.Namespace, done.OwnerReferences = Batch, []metav1.OwnerReference{s.job}
	done.Spec.RestartPolicy = corev1.RestartPolicyNever
	_, err := PutPod(ctx, s.client, done)
	return err
}

// PutPod creates a pod with its status.
func PutPod(ctx context.Context, client kubernetes.Interface, pod *corev1.Pod) (*corev1.Pod, error) {
	return putStatus(ctx, client.CoreV1().Pods(pod.Namespace), pod)
}

// NewPod is a pod in namespace Shop whose state depends on the number i. An annotation of it needs escaping on the page.
func NewPod(name string, i int) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: Shop, Name: name,
			Labels:      map[string]string{"app": "web", "app.kubernetes.io/part-of": "shop"},
			Annotations: map[string]string{"note": "a \"quoted\" line\nand a back\\slash", "team": "kärnten"},
		},
		Spec: corev1.PodSpec{
			InitContainers: []corev1.Container{container("setup")},
			Containers:     []corev1.Container{container("main"), container("sidecar")},
			NodeName:       nodeName(i),
			Tolerations:    []corev1.Toleration{{Key: "dedicated", Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule}},
			Volumes: []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{
				PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data-0"},
			}}},
		},
	}
	pod.Status = status(i)
	return pod
}

func container(name string) corev1.Container {
	return corev1.Container{
		Name:    name,
		Image:   "example/" + name + ":1",
		Command: []string{"/" + name},
		Env:     []corev1.EnvVar{{Name: "UNREAD", Value: "by any metric"}},
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{"cpu": resource.MustParse("100m"), "memory": resource.MustParse("64Mi")},
			Limits:   corev1.ResourceList{"cpu": resource.MustParse("1"), "memory": resource.MustParse("128Mi")},
		},
	}
}

func status(i int) corev1.PodStatus {
	ip := fmt.Sprintf("10.1.%d.%d", i/200, i%200+1)
	s := corev1.PodStatus{
		Phase: corev1.PodRunning, HostIP: "10.2.0.1", PodIP: ip, PodIPs: []corev1.PodIP{{IP: ip}}, StartTime: after(i % 60),
		QOSClass: corev1.PodQOSBurstable,
		Conditions: []corev1.PodCondition{
			{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: at(i % 60)},
			{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: at(i%60 + 1)},
		},
		InitContainerStatuses: []corev1.ContainerStatus{containerStatus("setup", corev1.ContainerState{
			Terminated: &corev1.ContainerStateTerminated{Reason: "Completed", StartedAt: at(i % 60), FinishedAt: at(i%60 + 1)},
		})},
	}
	main := corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: at(i % 60)}}
	switch i % 4 {
	case 1:
		s.Phase, s.Conditions[1].Status = corev1.PodPending, corev1.ConditionFalse
		main = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "no such image"}}
	case 2:
		s.Phase, s.Reason, s.Conditions[1].Status = corev1.PodFailed, "Evicted", corev1.ConditionFalse
		main = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled", StartedAt: at(0), FinishedAt: at(9)}}
	case 3:
		main = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}
	}
	sidecar := corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: at(i % 60)}}
	s.ContainerStatuses = []corev1.ContainerStatus{containerStatus("main", main), containerStatus("sidecar", sidecar)}
	if i%4 == 3 {
		s.ContainerStatuses[0].RestartCount = 12
		s.ContainerStatuses[0].LastTerminationState = corev1.ContainerState{
			Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, Reason: "Error", StartedAt: at(0), FinishedAt: at(3)},
		}
	}
	return s
}

func containerStatus(name string, state corev1.ContainerState) corev1.ContainerStatus {
	return corev1.ContainerStatus{
		Name: name, Image: "example/" + name + ":1", ImageID: "example/" + name + "@sha256:1", ContainerID: "containerd://" + name,
		State: state, Ready: state.Running != nil,
	}
}
