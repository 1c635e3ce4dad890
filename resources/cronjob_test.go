package resources

import (
	"testing"
	"time"
	_ "time/tzdata" // the test's zones are the same on every machine

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// If a schedule can be interpreted in several ways, the interpretation of the Kubernetes CronJob controller counts. The
// fixture cronjobs-dialect has other interpretations of several of these schedules.
func TestCronScheduleFollowsController(t *testing.T) {
	const invalid, never = "invalid", "never"
	f := func(schedule, zone, from, want string) {
		t.Helper()
		c := &batchv1.CronJob{Spec: batchv1.CronJobSpec{Schedule: schedule}}
		if zone != "local" {
			c.Spec.TimeZone = &zone
		}
		start, err := time.Parse(time.RFC3339, from)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := cronSchedule(c)
		got := invalid
		if err == nil {
			got = never
			if next := parsed.Next(start); !next.IsZero() {
				got = next.UTC().Format(time.RFC3339)
			}
		}
		if got != want {
			t.Errorf("%q in %s after %s: got %s, want %s", schedule, zone, from, got, want)
		}
	}
	const newYear = "2026-01-01T00:00:00Z" // a Thursday

	// Day of month or day of week, whichever comes first.
	f("0 0 13 * 5", "local", newYear, "2026-01-02T00:00:00Z")
	// A star with a step is a restriction too.
	f("0 0 */10 * 1", "local", newYear, "2026-01-05T00:00:00Z")
	// Half past two does not exist on the day summer time begins.
	f("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-30T00:30:00Z")
	f("0 12 * * *", "", newYear, "2026-01-01T12:00:00Z")
	f("0 12 * * *", "Asia/Kolkata", newYear, "2026-01-01T06:30:00Z")
	f("0 12 * * *", "Mars/Olympus", newYear, invalid)
	f("0 0 31 2 *", "local", newYear, never)
	f("*/70 * * * *", "local", "2026-01-01T00:10:00Z", "2026-01-01T01:00:00Z")
	f("0 0 * * 7", "local", newYear, invalid)
	f("0 22-2 * * *", "local", newYear, invalid)
	f("@triggered", "local", newYear, invalid)
	f("@hourly", "Asia/Kolkata", newYear, "2026-01-01T00:30:00Z")
	f("@every 90m", "Asia/Kolkata", newYear, "2026-01-01T01:30:00Z")

	// A zone in the schedule takes precedence over the zone of the spec.
	f("TZ=Asia/Kolkata 0 12 * * *", "local", newYear, "2026-01-01T06:30:00Z")
	f("CRON_TZ=Asia/Kolkata 0 12 * * *", "Europe/Berlin", newYear, "2026-01-01T06:30:00Z")
	f("TZ=Asia/Kolkata 0 12 * * *", "Mars/Olympus", newYear, invalid)
	f("TZ=Mars/Olympus 0 12 * * *", "local", newYear, invalid)
	f("TZ=Asia/Kolkata", "local", newYear, invalid)
	f("CRON_TZ=", "local", newYear, invalid)
}

// Without a last run, the creation counts. Without either, there is no sample.
func TestNextScheduleCountsFromTheLastRun(t *testing.T) {
	f := func(c batchv1.CronJob, want string) {
		t.Helper()
		c.Spec.Schedule = "@hourly"
		if text, _ := written(func(w *SampleWriter) { nextSchedule(&c, w) }); text != want {
			t.Errorf("got %q, want %q", text, want)
		}
	}
	created, ran, yes := metav1.Unix(3600*10+1, 0), metav1.Unix(3600*20, 0), true
	meta := metav1.ObjectMeta{CreationTimestamp: created}

	f(batchv1.CronJob{ObjectMeta: meta}, "m{id=\"x\"} 39600\n")
	f(batchv1.CronJob{ObjectMeta: meta, Status: batchv1.CronJobStatus{LastScheduleTime: &ran}}, "m{id=\"x\"} 75600\n")
	f(batchv1.CronJob{ObjectMeta: meta, Spec: batchv1.CronJobSpec{Suspend: &yes}}, "")
	// In protobuf, a time can be present and not set.
	f(batchv1.CronJob{ObjectMeta: meta, Status: batchv1.CronJobStatus{LastScheduleTime: &metav1.Time{}}}, "m{id=\"x\"} 39600\n")
	f(batchv1.CronJob{}, "")
	f(batchv1.CronJob{Status: batchv1.CronJobStatus{LastScheduleTime: &metav1.Time{}}}, "")
}

// No schedule makes the parser panic, and the next time of a valid schedule is after the start.
func FuzzCronSchedule(f *testing.F) {
	for _, s := range []string{"*/5 * * * *", "@every 1h", "TZ=", "TZ=UTC 0 0 1 1 *", "@every -1h", "0 0 31 2 *", "CRON_TZ= @daily", "@"} {
		f.Add(s, "Europe/Berlin")
	}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, schedule, zone string) {
		parsed, err := cronSchedule(&batchv1.CronJob{Spec: batchv1.CronJobSpec{Schedule: schedule, TimeZone: &zone}})
		if err != nil {
			return
		}
		if next := parsed.Next(start); !next.IsZero() && !next.After(start) {
			t.Errorf("%q in %q: got next time %v, want one after %v", schedule, zone, next, start)
		}
	})
}
