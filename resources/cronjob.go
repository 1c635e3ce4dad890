package resources

import (
	"errors"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
	batchv1 "k8s.io/api/batch/v1"
)

func cronJobs() Kind {
	return NewKind(definition[batchv1.CronJob]{
		resource: batchv1.SchemeGroupVersion.WithResource("cronjobs"),
		identity: namespaceAndName[batchv1.CronJob]("cronjob"),
		reads: `spec.schedule spec.timeZone spec.concurrencyPolicy spec.suspend spec.startingDeadlineSeconds
			spec.successfulJobsHistoryLimit spec.failedJobsHistoryLimit
			status.active status.lastScheduleTime status.lastSuccessfulTime`,
		families: []family[batchv1.CronJob]{
			annotationsFamily[batchv1.CronJob](Alpha, "kube_cronjob_annotations", "cron job"),
			labelsFamily[batchv1.CronJob](Stable, "kube_cronjob_labels", "cron job"),
			gauge(Stable, "kube_cronjob_info", "Always 1; gives the cron job's schedule, time zone and concurrency policy.", cronJobInfo),
			createdFamily[batchv1.CronJob](Stable, "kube_cronjob_created", "cron job"),
			gauge(Stable, "kube_cronjob_status_active", "Number of the cron job's jobs that are running.", func(c *batchv1.CronJob, w *SampleWriter) { w.Int(int64(len(c.Status.Active))) }),
			gauge(Stable, "kube_cronjob_status_last_schedule_time", "Time for which a job was last created, in unix seconds.", func(c *batchv1.CronJob, w *SampleWriter) { w.Time(c.Status.LastScheduleTime) }),
			gauge(Stable, "kube_cronjob_status_last_successful_time", "Time when one of the cron job's jobs last completed, in unix seconds.", func(c *batchv1.CronJob, w *SampleWriter) { w.Time(c.Status.LastSuccessfulTime) }),
			gauge(Stable, "kube_cronjob_spec_suspend", "Whether the cron job is suspended, 1 or 0.", func(c *batchv1.CronJob, w *SampleWriter) { w.Bool(suspended(c)) }),
			gauge(Stable, "kube_cronjob_spec_starting_deadline_seconds", "Time by which a job may start late before it is skipped, in seconds.", func(c *batchv1.CronJob, w *SampleWriter) { optionalInt(w, c.Spec.StartingDeadlineSeconds) }),
			gauge(Stable, "kube_cronjob_next_schedule_time", "Time at which the next job will be created, in unix seconds; not while the cron job is suspended.", nextSchedule),
			gauge(Alpha, "kube_cronjob_schedule_invalid", "Always 1, for a cron job whose schedule or time zone is invalid.", func(c *batchv1.CronJob, w *SampleWriter) {
				if _, err := cronSchedule(c); err != nil {
					w.Value(1)
				}
			}),
			resourceVersionFamily[batchv1.CronJob](Stable, "kube_cronjob_metadata_resource_version", "cron job"),
			gauge(Alpha, "kube_cronjob_spec_successful_job_history_limit", "Number of succeeded jobs that are kept.", func(c *batchv1.CronJob, w *SampleWriter) { optionalInt(w, c.Spec.SuccessfulJobsHistoryLimit) }),
			gauge(Alpha, "kube_cronjob_spec_failed_job_history_limit", "Number of failed jobs that are kept.", func(c *batchv1.CronJob, w *SampleWriter) { optionalInt(w, c.Spec.FailedJobsHistoryLimit) }),
			optIn(gauge(Alpha, "kube_cronjob_spec_time_zone_info", "Always 1; names the time zone that the cron job's spec sets.", func(c *batchv1.CronJob, w *SampleWriter) {
				if c.Spec.TimeZone != nil {
					w.Sample(1, "time_zone", *c.Spec.TimeZone)
				}
			})),
		},
	})
}

func suspended(c *batchv1.CronJob) bool { return c.Spec.Suspend != nil && *c.Spec.Suspend }

func cronJobInfo(c *batchv1.CronJob, w *SampleWriter) {
	zone := "local"
	if c.Spec.TimeZone != nil {
		zone = *c.Spec.TimeZone
	}
	w.Sample(1, "schedule", c.Spec.Schedule, "concurrency_policy", string(c.Spec.ConcurrencyPolicy), "timezone", zone)
}

// nextSchedule appends the first scheduled time after the last run, or after the creation if there was none. It does
// not depend on the current time, so the sample changes only when the object does.
func nextSchedule(c *batchv1.CronJob, w *SampleWriter) {
	from := c.CreationTimestamp.Time
	if !c.Status.LastScheduleTime.IsZero() {
		from = c.Status.LastScheduleTime.Time
	}
	if suspended(c) || from.IsZero() {
		return
	}
	schedule, err := cronSchedule(c)
	if err != nil {
		return
	}
	if next := schedule.Next(from); !next.IsZero() { // zero for dates that never come
		w.Int(next.Unix())
	}
}

var errNoSchedule = errors.New("schedule has a time zone but no fields")

// cronSchedule parses the schedule as the CronJob controller does. It applies in the time zone of the spec, or else in
// the local one, unless the schedule begins with a zone of its own (TZ= or CRON_TZ=). If both day fields are
// restricted, a day needs to match only one of them. Sunday is 0, not 7. An empty zone is UTC.
func cronSchedule(c *batchv1.CronJob) (cron.Schedule, error) {
	var zone *time.Location
	if c.Spec.TimeZone != nil {
		var err error
		if zone, err = time.LoadLocation(*c.Spec.TimeZone); err != nil {
			return nil, err
		}
	}
	text := c.Spec.Schedule
	ownZone := strings.HasPrefix(text, "TZ=") || strings.HasPrefix(text, "CRON_TZ=")
	if ownZone && !strings.Contains(text, " ") {
		return nil, errNoSchedule // the parser would panic
	}
	schedule, err := cron.ParseStandard(text)
	if fields, ok := schedule.(*cron.SpecSchedule); ok && zone != nil && !ownZone {
		fields.Location = zone
	}
	return schedule, err
}
