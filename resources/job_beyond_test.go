package resources

import (
	"strings"
	"testing"
)

func TestIndexesOfAJobAreCounted(t *testing.T) {
	f := func(list string, want int64, wantOK bool) {
		t.Helper()
		if n, ok := countIndexes(list); n != want || ok != wantOK {
			t.Errorf("%q: got %d, %v, want %d, %v", list, n, ok, want, wantOK)
		}
	}
	f("", 0, true)
	f("0", 1, true)
	f("1,3-5,7", 5, true)
	f("0-2147483646", 2147483647, true)
	f("5-5", 1, true)
	for _, bad := range []string{",", "1,", "a", "1-", "-1", "3-1", "1-2-3", "1, 2", "2,2", "3-5,4", "1e3", "9999999999", "0-9223372036854775807"} {
		f(bad, 0, false)
	}
	f(strings.Repeat("9", 1<<20), 0, false)
}

// Fields are missing, null or invalid.
func TestUnusualWorkloadsOfFamiliesBeyond(t *testing.T) {
	rendersOptIn(t, jobs(), "kube_job_(spec_(backoff_limit|ttl_.*)|status_(condition|terminating|uncounted_.*|.*_indexes))", `{"metadata":{"name":"j"},
		"spec":{"backoffLimit":null,"ttlSecondsAfterFinished":null,"completionMode":null},
		"status":{"terminating":null,"uncountedTerminatedPods":null,"failedIndexes":null,"completedIndexes":"","conditions":null}}`, "", 0)
	rendersOptIn(t, jobs(), "kube_job_status_(condition|.*_indexes)", `{"metadata":{"name":"j"},
		"status":{"failedIndexes":"5-3","completedIndexes":"all","conditions":[{},{"type":"Complete","status":"yes"}]}}`, "", 4)
	rendersOptIn(t, jobs(), "kube_job_spec_backoff_limit", `{"metadata":{"name":"j"},"spec":{"backoffLimit":-0}}`,
		"kube_job_spec_backoff_limit{namespace=\"\",job_name=\"j\"} 0\n", 0)
	rendersOptIn(t, cronJobs(), "kube_cronjob_spec_time_zone_info", `{"metadata":{"name":"c"},"spec":{"timeZone":""}}`,
		"kube_cronjob_spec_time_zone_info{namespace=\"\",cronjob=\"c\",time_zone=\"\"} 1\n", 0)
	rendersOptIn(t, podDisruptionBudgets(), "kube_poddisruptionbudget_status_condition", `{"metadata":{"name":"b"},"status":{"conditions":[{},
		{"type":"A","status":"True","reason":"r"},{"type":"A","status":"True","reason":"r"}]}}`,
		"kube_poddisruptionbudget_status_condition{namespace=\"\",poddisruptionbudget=\"b\",condition=\"A\",status=\"true\",reason=\"r\"} 1\n", 2)
	rendersOptIn(t, horizontalPodAutoscalers(), "kube_horizontalpodautoscaler_status_condition_reason", `{"metadata":{"name":"h"},"status":{"conditions":[{"reason":"r"}]}}`, "", 1)
	rendersOptIn(t, replicaSets(), "kube_replicaset_status_available_replicas", `{"metadata":{"name":"r"},"status":null}`,
		"kube_replicaset_status_available_replicas{namespace=\"\",replicaset=\"r\"} 0\n", 0)
}
