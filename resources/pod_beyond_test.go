package resources

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/statefleet/statefleet/internal/testing/conformance"
	"github.com/statefleet/statefleet/internal/wire"
)

// Fields are missing, null, empty or duplicates.
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

// Once the family is enabled, the bytes do not decode as a pod.
func TestFieldOfTheWrongTypeIsIgnoredWhileItsFamilyIsDisabled(t *testing.T) {
	object := []byte(`{"metadata":{"name":"p"},"spec":{"terminationGracePeriodSeconds":"soon","readinessGates":7,"serviceAccountName":"s"}}`)
	var l Lines
	if err := mustRenderer(t, pods(), Filter{}).Render(wire.JSON, object, &l); err != nil || !strings.Contains(string(l.Buf), `service_account="s"`) {
		t.Errorf("error %v, want lines with the service account, got\n%s", err, l.Buf)
	}
	for _, family := range []string{"kube_pod_termination_grace_period_seconds", "kube_pod_readiness_gate_info"} {
		if err := mustRenderer(t, pods(), only(t, family)).Render(wire.JSON, object, &l); err == nil {
			t.Errorf("%s: got no error, and the lines\n%s", family, l.Buf)
		}
	}
}

// Such a list is searched with an index, and a limit leaves the family out as a whole.
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
		page := conformance.NewExposition()
		if err := addLines(&page, r.Families(), l); err != nil || len(page.Twice) > 0 || len(page.Values) != distinct || l.Skipped != distinct {
			t.Errorf("got %d series, %d skipped, duplicates %v, error %v, want %d series", len(page.Values), l.Skipped, page.Twice, err, distinct)
		}
		l.Limit = 1000
		if err := r.Render(wire.Encoding(enc), raw, &l); err != nil || len(l.Buf) != 0 || len(l.Omitted) != 1 {
			t.Errorf("with a limit: got %d bytes, omitted families %v, error %v, want 0 bytes", len(l.Buf), l.Omitted, err)
		}
	}
}

func TestWorkloadOfAPod(t *testing.T) {
	f := func(kind, name, hash, wantKind, wantName string) {
		t.Helper()
		if k, n := workloadOf(kind, name, hash); k != wantKind || n != wantName {
			t.Errorf("%s %s, hash %q: got %s %s, want %s %s", kind, name, hash, k, n, wantKind, wantName)
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
