package resources

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/statefleet/statefleet/internal/testing/conformance"
	"github.com/statefleet/statefleet/internal/wire"
)

// only selects one family.
func only(t testing.TB, name string) Filter {
	t.Helper()
	pattern := "^" + name + "$"
	f, err := NewFilter(Selection{Allow: []string{pattern}, OptIn: []string{pattern}})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestEachOptInFamilyReadsItsFields: what one family declares to read is enough when no other one that reads the same is
// on.
func TestEachOptInFamilyReadsItsFields(t *testing.T) {
	for _, k := range All() {
		for _, f := range k.Families() {
			if !f.OptIn {
				continue
			}
			r := mustRenderer(t, k, only(t, f.Name))
			objects := newRandomObjects(1)
			samples := 0
			for i := 0; i < fewRandomObjects || i < manyRandomObjects && samples == 0; i++ {
				var cut, full Lines
				raw := encodings(t, objects.next(t, k))[wire.Protobuf]
				if err := r.Render(wire.Protobuf, raw, &cut); err != nil {
					t.Fatal(err)
				}
				renderUncut(t, r, wire.Protobuf, raw, &full)
				if string(cut.Buf) != string(full.Buf) {
					t.Fatalf("%s: cut and full differ:\n%s", f.Name, firstDifference(string(cut.Buf), string(full.Buf)))
				}
				samples += len(cut.Buf)
			}
			if samples == 0 {
				t.Errorf("no object had a sample of %s", f.Name)
			}
		}
	}
}

// TestOptInFamiliesCostNothingWhileTheyAreOff: the fields that only an opt-in family reads are cut until it is asked for.
// Of the fixtures' objects it then takes more bytes.
func TestOptInFamiliesCostNothingWhileTheyAreOff(t *testing.T) {
	// What these read, others that are on by default read, too.
	readNothingMore := []string{
		"kube_cronjob_spec_time_zone_info",
		"kube_job_status_condition",
		"kube_pod_status_conditions",
		"kube_pod_status_resize",
	}
	kept := func(k Kind, f Filter) (n int) {
		mask := mustRenderer(t, k, f).Mask()
		for _, fixture := range readFixtures(t) {
			for _, o := range fixture.objects {
				if o.resource != k.Name() {
					continue
				}
				cut, err := mask.Append(nil, wire.Protobuf, o.raw[wire.Protobuf])
				if err != nil {
					t.Fatal(err)
				}
				n += len(cut)
			}
		}
		return n
	}
	for _, k := range All() {
		byDefault := -1
		for _, f := range k.Families() {
			if !f.OptIn {
				continue
			}
			if byDefault < 0 {
				byDefault = kept(k, Filter{})
			}
			on, err := NewFilter(Selection{OptIn: []string{"^" + f.Name + "$"}})
			if err != nil {
				t.Fatal(err)
			}
			if more := kept(k, on) > byDefault; more == slices.Contains(readNothingMore, f.Name) {
				t.Errorf("%s: more is kept once it is on: %t", f.Name, more)
			}
		}
	}
}

// rendersOptIn is rendersAs for families that are off by default.
func rendersOptIn(t *testing.T, k Kind, family, object, want string, wantSkipped int) {
	t.Helper()
	var l Lines
	if err := mustRenderer(t, k, only(t, family)).Render(wire.JSON, []byte(object), &l); err != nil {
		t.Errorf("%s: %v", object, err)
		return
	}
	if want = strings.TrimLeft(want, "\n"); string(l.Buf) != want || l.Skipped != wantSkipped || len(l.Failed) > 0 {
		t.Errorf("%s\ngot:\n%s\nwant:\n%s\n%d skipped, want %d, failed %v", object, l.Buf, want, l.Skipped, wantSkipped, l.Failed)
	}
}

// TestUnusualPodsOfFamiliesBeyond: fields that are missing, null, empty or there twice.
func TestUnusualPodsOfFamiliesBeyond(t *testing.T) {
	f := func(family, object, want string, wantSkipped int) {
		t.Helper()
		rendersOptIn(t, pods(), family, object, want, wantSkipped)
	}
	all := "kube_pod_((init_)?container_status_(resource|device)|spec_resource|status_resource|status_(resize|conditions)|readiness|scheduling|termination).*"
	f(all, `{"metadata":{"name":"p"},"spec":null,"status":null}`, "", 0)
	f(all, `{"metadata":{"name":"p"},
		"spec":{"resources":null,"readinessGates":null,"schedulingGates":[],"terminationGracePeriodSeconds":null,"schedulingGroup":{"podGroupName":null}},
		"status":{"resources":{"limits":null},"conditions":null,"initContainerStatuses":[{"name":"a","resources":null}],
		"containerStatuses":[{"name":"a","resources":{}},{"name":"b","allocatedResourcesStatus":[{"name":"r","resources":null}]}]}}`, "", 0)

	f("kube_pod_container_status_resource_requests", `{"metadata":{"name":"p"},"status":{"containerStatuses":[
		{"name":"a","resources":{"requests":{"cpu":"1e3","memory":"-0","ephemeral-storage":"-5","no-such":"1"}}},
		{"name":"a","resources":{"requests":{"cpu":"2"}}}]}}`, `
kube_pod_container_status_resource_requests{namespace="",pod="p",uid="",container="a",node="",resource="cpu",unit="core"} 1000
kube_pod_container_status_resource_requests{namespace="",pod="p",uid="",container="a",node="",resource="ephemeral_storage",unit="byte"} -5
kube_pod_container_status_resource_requests{namespace="",pod="p",uid="",container="a",node="",resource="memory",unit="byte"} 0
`, 1)
	f("kube_pod_status_conditions", `{"metadata":{"name":"p"},"status":{"conditions":[{},{"type":"A"},{"type":"A","status":"true"},
		{"type":"B","status":"True","reason":"a\"b"},{"type":"B","status":"True","reason":"a\"b"},{"type":"B","status":"Unknown"}]}}`, `
kube_pod_status_conditions{namespace="",pod="p",uid="",condition="B",status="true",reason="a\"b"} 1
kube_pod_status_conditions{namespace="",pod="p",uid="",condition="B",status="unknown",reason=""} 1
`, 4)
	f("kube_pod_container_status_device_health", `{"metadata":{"name":"p"},"status":{"containerStatuses":[{"name":"a",
		"allocatedResourcesStatus":[{},{"name":"r","resources":[{},{"resourceID":"d","health":"Healthy"},{"resourceID":"d","health":"Healthy"}]}]}]}}`, `
kube_pod_container_status_device_health{namespace="",pod="p",uid="",container="a",resource="r",device="",health=""} 1
kube_pod_container_status_device_health{namespace="",pod="p",uid="",container="a",resource="r",device="d",health="Healthy"} 1
`, 1)
	f("kube_pod_termination_grace_period_seconds", `{"metadata":{"name":"p"},"spec":{"terminationGracePeriodSeconds":-1}}`,
		"kube_pod_termination_grace_period_seconds{namespace=\"\",pod=\"p\",uid=\"\"} -1\n", 0)
	f("kube_pod_(readiness|scheduling)_gate_info", `{"metadata":{"name":"p"},"spec":{"readinessGates":[{},{"conditionType":"a"},{"conditionType":"a"}],"schedulingGates":[{}]}}`, `
kube_pod_readiness_gate_info{namespace="",pod="p",uid="",condition=""} 1
kube_pod_readiness_gate_info{namespace="",pod="p",uid="",condition="a"} 1
kube_pod_scheduling_gate_info{namespace="",pod="p",uid="",gate=""} 1
`, 1)
}

// TestFieldOfTheWrongTypeCostsNothingWhileItsFamilyIsOff: once the family is on, such bytes are no pod.
func TestFieldOfTheWrongTypeCostsNothingWhileItsFamilyIsOff(t *testing.T) {
	object := []byte(`{"metadata":{"name":"p"},"spec":{"terminationGracePeriodSeconds":"soon","readinessGates":7,"serviceAccountName":"s"}}`)
	var l Lines
	if err := mustRenderer(t, pods(), Filter{}).Render(wire.JSON, object, &l); err != nil || !strings.Contains(string(l.Buf), `service_account="s"`) {
		t.Errorf("error %v, lines\n%s", err, l.Buf)
	}
	for _, family := range []string{"kube_pod_termination_grace_period_seconds", "kube_pod_readiness_gate_info"} {
		if err := mustRenderer(t, pods(), only(t, family)).Render(wire.JSON, object, &l); err == nil {
			t.Errorf("%s was rendered:\n%s", family, l.Buf)
		}
	}
}

// TestThousandsOfConditionsAreShownOnce: the list is searched by an index, and a limit leaves it out as a whole.
func TestThousandsOfConditionsAreShownOnce(t *testing.T) {
	const distinct = 5000
	var p corev1.Pod
	for i := range 2 * distinct {
		p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{
			Type: corev1.PodConditionType(fmt.Sprint("example.com/", i%distinct)), Status: corev1.ConditionTrue,
		})
	}
	r := mustRenderer(t, pods(), only(t, "kube_pod_status_conditions"))
	for enc, raw := range encodings(t, &p) {
		var l Lines
		if err := r.Render(wire.Encoding(enc), raw, &l); err != nil {
			t.Fatal(err)
		}
		page := conformance.NewPage()
		if err := addLines(&page, r.Families(), l); err != nil || len(page.Twice) > 0 || len(page.Values) != distinct || l.Skipped != distinct {
			t.Errorf("%d series, %d skipped, twice %v, error %v", len(page.Values), l.Skipped, page.Twice, err)
		}
		l.Limit = 1000
		if err := r.Render(wire.Encoding(enc), raw, &l); err != nil || len(l.Buf) != 0 || len(l.Omitted) != 1 {
			t.Errorf("with a limit: %d bytes, omitted %v, error %v", len(l.Buf), l.Omitted, err)
		}
	}
}

func TestWorkloadOfAPod(t *testing.T) {
	f := func(kind, name, hash, wantKind, wantName string) {
		t.Helper()
		if k, n := workloadOf(kind, name, hash); k != wantKind || n != wantName {
			t.Errorf("%s %s, hash %q: %s %s, want %s %s", kind, name, hash, k, n, wantKind, wantName)
		}
	}
	f("ReplicaSet", "web-6d4cf56db6", "6d4cf56db6", "Deployment", "web")
	f("ReplicaSet", "web-6d4-6d4", "6d4", "Deployment", "web-6d4")
	f("ReplicaSet", "web-6d4cf56db6", "", "ReplicaSet", "web-6d4cf56db6")
	f("ReplicaSet", "web-6d4cf56db6", "other", "ReplicaSet", "web-6d4cf56db6")
	f("ReplicaSet", "web6d4cf56db6", "6d4cf56db6", "ReplicaSet", "web6d4cf56db6")
	f("ReplicaSet", "-6d4", "6d4", "ReplicaSet", "-6d4")
	f("Job", "report-29612345", "", "CronJob", "report")
	f("Job", "a-b-100000000", "", "CronJob", "a-b")
	f("Job", "report-2961234", "", "Job", "report-2961234")
	f("Job", "report-2961234x", "", "Job", "report-2961234x")
	f("Job", "-29612345", "", "Job", "-29612345")
	f("Job", "29612345", "", "Job", "29612345")
	f("Job", "", "", "Job", "")
	f("StatefulSet", "db-29612345", "29612345", "StatefulSet", "db-29612345")
}

func TestIndexesOfAJobAreCounted(t *testing.T) {
	f := func(list string, want int64, wantOK bool) {
		t.Helper()
		if n, ok := countIndexes(list); n != want || ok != wantOK {
			t.Errorf("%q: %d, %v", list, n, ok)
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

// TestUnusualWorkloadsOfFamiliesBeyond: fields that are missing, null or make no sense.
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
