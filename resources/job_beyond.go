package resources

import (
	"strconv"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/utils/ptr"
)

// jobBeyondFamilies are the families that kube-state-metrics does not have.
func jobBeyondFamilies() []family[batchv1.Job] {
	return []family[batchv1.Job]{
		optIn(withFields("spec.backoffLimit", gauge(Alpha, "kube_job_spec_backoff_limit", "Number of failures of the job's pods after which the job fails.", func(j *batchv1.Job, w *SampleWriter) { optionalInt(w, j.Spec.BackoffLimit) }))),
		optIn(withUnit(Seconds, withFields("spec.ttlSecondsAfterFinished", gauge(Alpha, "kube_job_spec_ttl_seconds_after_finished", "Time after which the job is deleted once it has ended, in seconds.", func(j *batchv1.Job, w *SampleWriter) { optionalInt(w, j.Spec.TTLSecondsAfterFinished) })))),
		optIn(withFields("status.terminating", gauge(Alpha, "kube_job_status_terminating", "Number of the job's pods that are being deleted.", func(j *batchv1.Job, w *SampleWriter) { optionalInt(w, j.Status.Terminating) }))),
		optIn(withFields("status.uncountedTerminatedPods", gauge(Alpha, "kube_job_status_uncounted_terminated", "Number of pods that have ended and that the job does not count yet as succeeded or failed.", func(j *batchv1.Job, w *SampleWriter) {
			if u := j.Status.UncountedTerminatedPods; u != nil {
				w.Int(int64(len(u.Succeeded) + len(u.Failed)))
			}
		}))),
		optIn(gauge(Alpha, "kube_job_status_condition", "Always 1; names a condition of the job, the status that it has, and the reason.", func(j *batchv1.Job, w *SampleWriter) {
			for _, c := range j.Status.Conditions {
				w.presentCondition(string(c.Type), c.Status, c.Reason)
			}
		})),
		optIn(withFields("status.failedIndexes", gauge(Alpha, "kube_job_status_failed_indexes", "Number of the job's indexes that have failed.", func(j *batchv1.Job, w *SampleWriter) {
			if j.Status.FailedIndexes != nil {
				indexes(w, *j.Status.FailedIndexes)
			}
		}))),
		optIn(withFields("spec.completionMode status.completedIndexes", gauge(Alpha, "kube_job_status_completed_indexes", "Number of the job's indexes that have succeeded.", func(j *batchv1.Job, w *SampleWriter) {
			if j.Status.CompletedIndexes != "" || ptr.Deref(j.Spec.CompletionMode, "") == batchv1.IndexedCompletion {
				indexes(w, j.Status.CompletedIndexes)
			}
		}))),
		optIn(withFields("spec.completionMode spec.managedBy spec.podReplacementPolicy spec.suspend", gauge(Alpha, "kube_job_spec_info", "Always 1; gives the job's completion mode, its controller, when its pods are replaced, and whether it should be suspended.", func(j *batchv1.Job, w *SampleWriter) {
			w.Sample(1,
				"completion_mode", string(ptr.Deref(j.Spec.CompletionMode, "")),
				"managed_by", ptr.Deref(j.Spec.ManagedBy, ""),
				"pod_replacement_policy", string(ptr.Deref(j.Spec.PodReplacementPolicy, "")),
				"suspend", strconv.FormatBool(ptr.Deref(j.Spec.Suspend, false)))
		}))),
	}
}

// indexes appends the number of indexes in a list. An invalid list gives no sample.
func indexes(w *SampleWriter, list string) {
	n, ok := countIndexes(list)
	if !ok {
		w.Skip()
		return
	}
	w.Int(n)
}

// countIndexes counts the indexes in a list of increasing numbers and ranges such as "1,3-5,7".
func countIndexes(list string) (n int64, ok bool) {
	last := int64(-1)
	for item := range strings.SplitSeq(list, ",") {
		if list == "" {
			break
		}
		first, end, isRange := strings.Cut(item, "-")
		if !isRange {
			end = first
		}
		from, err := strconv.ParseInt(first, 10, 32)
		to, err2 := strconv.ParseInt(end, 10, 32)
		if err != nil || err2 != nil || from <= last || to < from {
			return 0, false
		}
		n += to - from + 1
		last = to
	}
	return n, true
}
