package node

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Load creates a Deployment of ten idle pods, and a Job every three seconds whose pod prints the version of an image of
// statefleet. It returns nil when ctx ends, and an error if it cannot create the Deployment.
func (c *Cluster) Load(ctx context.Context, image string) error {
	client := c.Client()
	if _, err := client.AppsV1().Deployments("default").Create(ctx, idleDeployment(), metav1.CreateOptions{}); err != nil {
		return err
	}
	tick := time.NewTicker(3 * time.Second)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			_, _ = client.BatchV1().Jobs("default").Create(ctx, job(n, image), metav1.CreateOptions{}) // the next one may succeed
		}
	}
}

// idleDeployment returns a Deployment of pods that do nothing.
func idleDeployment() *appsv1.Deployment {
	labels := map[string]string{"app": "load"}
	replicas, grace := int32(10), int64(0)
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "load"},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{
				TerminationGracePeriodSeconds: &grace,
				Containers:                    []corev1.Container{{Name: "pause", Image: pauseImage, ImagePullPolicy: corev1.PullNever}},
			}},
		},
	}
}

// job returns a Job whose pod prints the version of the program. The Job is deleted five seconds after it has finished.
func job(n int, image string) *batchv1.Job {
	ttl := int32(5)
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("job-%d", n)},
		Spec: batchv1.JobSpec{
			TTLSecondsAfterFinished: &ttl,
			Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
				RestartPolicy: corev1.RestartPolicyNever,
				Containers: []corev1.Container{{
					Name: "version", Image: image, Args: []string{"--version"}, ImagePullPolicy: corev1.PullNever,
				}},
			}},
		},
	}
}
