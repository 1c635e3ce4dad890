package simulator

import (
	"fmt"
	"maps"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const batchVersion = "batch/v1"

func (g *generator) jobWorkload(i int, namespace, name string) *workload {
	w := g.workload(i, namespace, name, batchVersion, "Job")
	w.template.Spec.RestartPolicy = corev1.RestartPolicyNever
	return w
}

func (g *generator) makeCronJobs() {
	for i := range g.spec.CronJobs {
		w := g.jobWorkload(i, g.namespace(i), fmt.Sprintf("%s-nightly-%d", appName(i), i))
		scheduled := g.ago(g.within(time.Hour))
		history, suspend := int32(3), g.chance(5)
		job := &batchv1.CronJob{
			ObjectMeta: g.meta(w.namespace, w.name, w.labels),
			Spec: batchv1.CronJobSpec{
				Schedule: pick(g, "*/5 * * * *", "0 3 * * *", "15 * * * *", "@hourly"), ConcurrencyPolicy: batchv1.ForbidConcurrent, Suspend: &suspend,
				SuccessfulJobsHistoryLimit: &history, FailedJobsHistoryLimit: &history,
				JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: w.template}},
			},
			Status: batchv1.CronJobStatus{LastScheduleTime: &scheduled, LastSuccessfulTime: &scheduled},
		}
		g.applied(&job.ObjectMeta, w, 1, job)
		g.put(job)
		owner := controlledBy(batchVersion, "CronJob", job.ObjectMeta)
		g.cronJobs = append(g.cronJobs, cronJob{OwnerReference: owner, namespace: w.namespace})
	}
}

// cronJob is what Jobs know of their owner.
type cronJob struct {
	metav1.OwnerReference
	namespace string
}

func (g *generator) makeJobs() {
	for i := range g.spec.Jobs {
		state := podSucceeded
		switch n := g.random.IntN(100); {
		case n < 8:
			state = podRunning
		case n < 13:
			state = podFailed
		}
		job, pod := g.job(i, g.ago(time.Minute+g.within(24*time.Hour)), state)
		g.put(job)
		g.put(pod)
	}
}

// job makes a Job and its pod. Three in four belong to a CronJob, if there is
// any.
func (g *generator) job(i int, born metav1.Time, state podState) (*batchv1.Job, *corev1.Pod) {
	namespace := g.namespace(i)
	name := fmt.Sprintf("%s-task-%d-%s", appName(i), i, g.suffix())
	var owners []metav1.OwnerReference
	if len(g.cronJobs) > 0 && i%4 != 0 {
		owner := g.cronJobs[i%len(g.cronJobs)]
		namespace, owners = owner.namespace, []metav1.OwnerReference{owner.OwnerReference}
		name = fmt.Sprintf("%s-%d", owner.Name, 29_000_000+i)
	}
	w := g.jobWorkload(i, namespace, name)
	job := &batchv1.Job{ObjectMeta: g.meta(namespace, name, nil)}
	job.OwnerReferences = owners
	job.CreationTimestamp = born
	w.labels = maps.Clone(w.labels)
	w.labels[batchv1.ControllerUidLabel], w.labels[batchv1.JobNameLabel] = string(job.UID), name
	w.template.Labels, job.Labels = w.labels, w.labels
	w.selector = map[string]string{batchv1.ControllerUidLabel: string(job.UID)}
	one, limit, manual, mode := int32(1), int32(6), false, batchv1.NonIndexedCompletion
	job.Spec = batchv1.JobSpec{
		Parallelism: &one, Completions: &one, BackoffLimit: &limit, Suspend: &manual, CompletionMode: &mode,
		Selector: w.labelSelector(), Template: w.template,
	}
	g.jobStatus(job, state)
	g.applied(&job.ObjectMeta, w, 1, job)

	meta := g.owned(w, name+"-"+g.suffix(), controlledBy(batchVersion, "Job", job.ObjectMeta))
	meta.GenerateName, meta.CreationTimestamp = name+"-", born
	return job, g.pod(w, meta, g.anyNode(), state)
}

// jobStatus is the status of a Job whose one pod is in the given state.
func (g *generator) jobStatus(job *batchv1.Job, state podState) {
	started := job.CreationTimestamp
	finished := g.after(started, 45*time.Second)
	ready, none := int32(1), int32(0)
	job.Status = batchv1.JobStatus{StartTime: &started, Ready: &none, UncountedTerminatedPods: &batchv1.UncountedTerminatedPods{}}
	condition := func(typ batchv1.JobConditionType, reason, message string) {
		job.Status.Conditions = append(job.Status.Conditions, batchv1.JobCondition{
			Type: typ, Status: corev1.ConditionTrue, Reason: reason, Message: message, LastProbeTime: finished, LastTransitionTime: finished,
		})
	}
	switch state {
	case podRunning:
		job.Status.Active, job.Status.Ready = 1, &ready
	case podSucceeded:
		job.Status.Succeeded, job.Status.CompletionTime = 1, &finished
		condition(batchv1.JobSuccessCriteriaMet, batchv1.JobReasonCompletionsReached, "Reached expected number of succeeded pods")
		condition(batchv1.JobComplete, batchv1.JobReasonCompletionsReached, "Reached expected number of succeeded pods")
	case podFailed:
		job.Status.Failed = 1
		condition(batchv1.JobFailureTarget, batchv1.JobReasonBackoffLimitExceeded, "Job has reached the specified backoff limit")
		condition(batchv1.JobFailed, batchv1.JobReasonBackoffLimitExceeded, "Job has reached the specified backoff limit")
	default:
		job.Status.Active = 1
	}
}
