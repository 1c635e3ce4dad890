package seed

import (
	"context"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// jobs makes one CronJob and three jobs of it: running, complete and failed.
func (s *seeder) jobs(ctx context.Context) error {
	zone, pod := "Etc/UTC", jobTemplate()
	cron, err := putStatus(ctx, s.client.BatchV1().CronJobs(Batch), &batchv1.CronJob{
		ObjectMeta: meta(Batch, "report"),
		Spec: batchv1.CronJobSpec{
			Schedule: "*/15 2 * * *", TimeZone: &zone, StartingDeadlineSeconds: ptr(int64(60)), ConcurrencyPolicy: batchv1.ForbidConcurrent,
			JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: pod}},
		},
		Status: batchv1.CronJobStatus{LastScheduleTime: after(0), LastSuccessfulTime: after(6),
			Active: []corev1.ObjectReference{{Kind: "Job", Namespace: Batch, Name: "report-running", APIVersion: "batch/v1"}}},
	})
	if err != nil {
		return err
	}
	by := owner("batch/v1", "CronJob", cron)
	running, err := s.newJob(ctx, "report-running", by, batchv1.JobStatus{StartTime: after(0), Active: 1, Ready: ptr(int32(1))})
	if err != nil {
		return err
	}
	s.job = owner("batch/v1", "Job", running)
	if _, err = s.newJob(ctx, "report-complete", by, batchv1.JobStatus{
		StartTime: after(0), CompletionTime: after(5), Succeeded: 1, Ready: ptr(int32(0)),
		Conditions: ended(batchv1.JobSuccessCriteriaMet, batchv1.JobComplete, "CompletionsReached"),
	}); err != nil {
		return err
	}
	_, err = s.newJob(ctx, "report-failed", by, batchv1.JobStatus{
		StartTime: after(0), Failed: 4, Ready: ptr(int32(0)),
		Conditions: ended(batchv1.JobFailureTarget, batchv1.JobFailed, "BackoffLimitExceeded"),
	})
	return err
}

func (s *seeder) newJob(ctx context.Context, name string, by metav1.OwnerReference, status batchv1.JobStatus) (*batchv1.Job, error) {
	job := NewJob(name)
	job.Status = status
	job.OwnerReferences = []metav1.OwnerReference{by}
	return putStatus(ctx, s.client.BatchV1().Jobs(Batch), job)
}

// NewJob is a job in namespace Batch that no one has begun with.
func NewJob(name string) *batchv1.Job {
	return &batchv1.Job{
		ObjectMeta: meta(Batch, name),
		Spec: batchv1.JobSpec{Parallelism: ptr(int32(1)), Completions: ptr(int32(1)), BackoffLimit: ptr(int32(3)),
			ActiveDeadlineSeconds: ptr(int64(900)), Template: jobTemplate()},
	}
}

func jobTemplate() corev1.PodTemplateSpec {
	pod := template("report")
	pod.Spec.RestartPolicy = corev1.RestartPolicyNever
	return pod
}

// ended are the conditions of a job that is over: the API server wants the announcement before the end.
func ended(announced, end batchv1.JobConditionType, reason string) []batchv1.JobCondition {
	return []batchv1.JobCondition{
		{Type: announced, Status: corev1.ConditionTrue, LastProbeTime: at(5), LastTransitionTime: at(5), Reason: reason},
		{Type: end, Status: corev1.ConditionTrue, LastProbeTime: at(5), LastTransitionTime: at(5), Reason: reason},
	}
}
