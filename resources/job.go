package resources

import (
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
)

// jobFailureReasons are the reasons that kube_job_status_failed distinguishes.
var jobFailureReasons = [...]string{"BackoffLimitExceeded", "DeadlineExceeded", "Evicted"}

func jobs() Kind {
	return NewKind(definition[batchv1.Job]{
		resource: batchv1.SchemeGroupVersion.WithResource("jobs"),
		identity: namespaceAndName[batchv1.Job]("job_name"),
		reads: `spec.parallelism spec.completions spec.activeDeadlineSeconds
			status.active status.succeeded status.failed status.ready status.startTime status.completionTime
			status.conditions.type status.conditions.status status.conditions.reason`,
		families: slices.Concat([]family[batchv1.Job]{
			annotationsFamily[batchv1.Job](Alpha, "kube_job_annotations", "job"),
			labelsFamily[batchv1.Job](Stable, "kube_job_labels", "job"),
			gauge(Stable, "kube_job_info", "Always 1, for each job.", func(j *batchv1.Job, w *SampleWriter) { w.Value(1) }),
			createdFamily[batchv1.Job](Stable, "kube_job_created", "job"),
			gauge(Stable, "kube_job_spec_parallelism", "Desired number of pods that the job runs at a time.", func(j *batchv1.Job, w *SampleWriter) { optionalInt(w, j.Spec.Parallelism) }),
			gauge(Stable, "kube_job_spec_completions", "Number of pods that have to succeed for the job to be complete.", func(j *batchv1.Job, w *SampleWriter) { optionalInt(w, j.Spec.Completions) }),
			gauge(Stable, "kube_job_spec_active_deadline_seconds", "Time that the job may be active before it is stopped, in seconds.", func(j *batchv1.Job, w *SampleWriter) { optionalInt(w, j.Spec.ActiveDeadlineSeconds) }),
			gauge(Stable, "kube_job_status_succeeded", "Number of the job's pods that have succeeded.", func(j *batchv1.Job, w *SampleWriter) { w.Int(int64(j.Status.Succeeded)) }),
			gauge(Stable, "kube_job_status_failed", "Number of the job's pods that have failed; with the reason of the job's own failure once it has one.", jobStatusFailed),
			gauge(Stable, "kube_job_status_active", "Number of the job's pods that are pending or running.", func(j *batchv1.Job, w *SampleWriter) { w.Int(int64(j.Status.Active)) }),
			gauge(Alpha, "kube_job_status_ready", "Number of the job's pods that are ready.", func(j *batchv1.Job, w *SampleWriter) { w.Int(int64(ptr.Deref(j.Status.Ready, 0))) }),
			gauge(Stable, "kube_job_complete", "Whether the job has completed, 1 for the status that its condition Complete has.", jobCondition(batchv1.JobComplete)),
			gauge(Stable, "kube_job_failed", "Whether the job has failed, 1 for the status that its condition Failed has.", jobCondition(batchv1.JobFailed)),
			gauge(Stable, "kube_job_status_start_time", "Time when the job was started, in unix seconds.", func(j *batchv1.Job, w *SampleWriter) { w.Time(j.Status.StartTime) }),
			gauge(Stable, "kube_job_status_completion_time", "Time when the job completed, in unix seconds.", func(j *batchv1.Job, w *SampleWriter) { w.Time(j.Status.CompletionTime) }),
			gauge(Alpha, "kube_job_status_suspended", "Whether the job is suspended, 1 or 0.", func(j *batchv1.Job, w *SampleWriter) {
				for _, c := range j.Status.Conditions {
					if c.Type == batchv1.JobSuspended {
						w.UniqueSample(boolValue(c.Status == corev1.ConditionTrue))
					}
				}
			}),
			ownerFamily[batchv1.Job](Stable, "kube_job_owner", "job"),
		}, jobBeyondFamilies()),
	})
}

// jobStatusFailed appends one sample for each distinguished reason of a failed job, or the number of failed pods if the
// reason is another one.
func jobStatusFailed(j *batchv1.Job, w *SampleWriter) {
	if j.Status.Failed == 0 {
		w.Value(0)
		return
	}
	known := false
	for _, c := range j.Status.Conditions {
		if c.Type != batchv1.JobFailed {
			continue
		}
		for _, reason := range jobFailureReasons {
			w.UniqueSample(boolValue(c.Reason == reason), "reason", reason)
			known = known || c.Reason == reason
		}
	}
	if !known {
		w.Int(int64(j.Status.Failed), "reason", "")
	}
}

func jobCondition(t batchv1.JobConditionType) func(*batchv1.Job, *SampleWriter) {
	return func(j *batchv1.Job, w *SampleWriter) {
		for _, c := range j.Status.Conditions {
			if c.Type == t {
				w.conditionStatus(c.Status, "condition")
			}
		}
	}
}
