package resources

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/internal/wire"
)

// TestZeroObjectRenders renders an empty object of each kind.
func TestZeroObjectRenders(t *testing.T) {
	for _, k := range All() {
		r := mustRenderer(t, k, everything(t))
		var fromProtobuf, fromJSON Lines
		if err := r.Render(wire.Protobuf, nil, &fromProtobuf); err != nil {
			t.Errorf("%s: %v", k.Name(), err)
		}
		if err := r.Render(wire.JSON, []byte(`{}`), &fromJSON); err != nil {
			t.Errorf("%s: %v", k.Name(), err)
		}
		if string(fromProtobuf.Buf) != string(fromJSON.Buf) {
			t.Errorf("%s: lines from protobuf:\n%s\nfrom JSON:\n%s", k.Name(), fromProtobuf.Buf, fromJSON.Buf)
		}
	}
}

// rendersAs checks the lines of an object for the families that a pattern selects, and the number of skipped samples.
func rendersAs(t *testing.T, k Kind, families, object, want string, wantSkipped int) {
	t.Helper()
	filter, err := NewFilter(Selection{Allow: []string{families}, Labels: everything(t).Labels})
	if err != nil {
		t.Fatal(err)
	}
	var l Lines
	if err := mustRenderer(t, k, filter).Render(wire.JSON, []byte(object), &l); err != nil {
		t.Errorf("%s: %v", object, err)
		return
	}
	if want = strings.TrimLeft(want, "\n"); string(l.Buf) != want {
		t.Errorf("%s\ngot:\n%s\nwant:\n%s", object, l.Buf, want)
	}
	if l.Skipped != wantSkipped {
		t.Errorf("%s\ngot %d skipped, want %d", object, l.Skipped, wantSkipped)
	}
}

// TestUnusualObjects renders objects that no well-behaved client writes.
func TestUnusualObjects(t *testing.T) {
	f := func(k Kind, families, object, want string, wantSkipped int) {
		t.Helper()
		rendersAs(t, k, families, object, want, wantSkipped)
	}

	// Lists with empty elements.
	f(pods(), `^kube_pod_(container|tolerations|ips|owner|status|spec|resourceclaim)`, `{"metadata":{"name":"p","ownerReferences":[{}]},
		"spec":{"containers":[{}],"tolerations":[{},{}],"volumes":[{},{"persistentVolumeClaim":{}},{"ephemeral":{}}],"resourceClaims":[{}]},
		"status":{"podIPs":[{}],"conditions":[{}],"containerStatuses":[{}],"resourceClaimStatuses":[{}]}}`, `
kube_pod_container_info{namespace="",pod="p",uid="",container="",image_spec="",image="",image_id="",container_id=""} 1
kube_pod_container_status_ready{namespace="",pod="p",uid="",container=""} 0
kube_pod_container_status_restarts_total{namespace="",pod="p",uid="",container=""} 0
kube_pod_container_status_running{namespace="",pod="p",uid="",container=""} 0
kube_pod_container_status_terminated{namespace="",pod="p",uid="",container=""} 0
kube_pod_container_status_waiting{namespace="",pod="p",uid="",container=""} 0
kube_pod_owner{namespace="",pod="p",uid="",owner_kind="",owner_name="",owner_is_controller="false"} 1
kube_pod_spec_volumes_persistentvolumeclaims_info{namespace="",pod="p",uid="",volume="",persistentvolumeclaim="",ephemeral="false"} 1
kube_pod_spec_volumes_persistentvolumeclaims_info{namespace="",pod="p",uid="",volume="",persistentvolumeclaim="p-",ephemeral="true"} 1
kube_pod_spec_volumes_persistentvolumeclaims_readonly{namespace="",pod="p",uid="",volume="",persistentvolumeclaim="",ephemeral="false"} 0
kube_pod_spec_volumes_persistentvolumeclaims_readonly{namespace="",pod="p",uid="",volume="",persistentvolumeclaim="p-",ephemeral="true"} 0
kube_pod_tolerations{namespace="",pod="p",uid="",key="",operator="",value="",effect="",toleration_seconds=""} 1
`, 1)

	// States without times and reasons.
	f(pods(), `_state_started$|terminated|completion|_time$`, `{"metadata":{"name":"p"},"status":{
		"conditions":[{"type":"Ready","status":"True"}],
		"containerStatuses":[{"name":"a","state":{"running":{}}},{"name":"b","state":{"terminated":{}},"lastState":{"terminated":{}}}]}}`, `
kube_pod_container_status_last_terminated_reason{namespace="",pod="p",uid="",container="b",reason=""} 1
kube_pod_container_status_last_terminated_exitcode{namespace="",pod="p",uid="",container="b"} 0
kube_pod_container_status_terminated{namespace="",pod="p",uid="",container="a"} 0
kube_pod_container_status_terminated{namespace="",pod="p",uid="",container="b"} 1
kube_pod_container_status_terminated_reason{namespace="",pod="p",uid="",container="b",reason=""} 1
`, 0)

	// The kubelet writes 1970 if the container runtime does not know when a container ended.
	f(pods(), `completion`, `{"metadata":{"name":"p"},"status":{"containerStatuses":[{"name":"a","state":{"terminated":{"finishedAt":"1970-01-01T00:00:00Z"}}}]}}`, "", 0)

	// If names that should be unique occur twice, the first one counts.
	f(pods(), `restarts_total|ips`, `{"metadata":{"name":"p"},"status":{"podIPs":[{"ip":"10.0.0.1"},{"ip":"10.0.0.1"},{"ip":"fe80::1%eth0"},{"ip":"fe80::1"}],
		"containerStatuses":[{"name":"a","restartCount":1},{"name":"a","restartCount":2},{"name":"ab","restartCount":3}]}}`, `
kube_pod_container_status_restarts_total{namespace="",pod="p",uid="",container="a"} 1
kube_pod_container_status_restarts_total{namespace="",pod="p",uid="",container="ab"} 3
kube_pod_ips{namespace="",pod="p",uid="",ip="10.0.0.1",ip_family="4"} 1
kube_pod_ips{namespace="",pod="p",uid="",ip="fe80::1",ip_family="6"} 1
`, 3)
	f(nodes(), `capacity|role|taint|condition`, `{"metadata":{"name":"n","labels":{"node-role.kubernetes.io/":"","node-role.kubernetes.io/b":"","node-role.kubernetes.io/a":"","role":"c"}},
		"spec":{"taints":[{"key":"k"},{"key":"k"}]},"status":{"capacity":{"a.b/c":"1","a-b/c":"2"},
		"conditions":[{"type":"Ready","status":"True"},{"type":"Ready","status":"False"}]}}`, `
kube_node_role{node="n",role=""} 1
kube_node_role{node="n",role="a"} 1
kube_node_role{node="n",role="b"} 1
kube_node_spec_taint{node="n",key="k",value="",effect=""} 1
kube_node_status_capacity{node="n",resource="a_b_c",unit="integer"} 2
kube_node_status_condition{node="n",condition="Ready",status="true"} 1
kube_node_status_condition{node="n",condition="Ready",status="false"} 0
kube_node_status_condition{node="n",condition="Ready",status="unknown"} 0
`, 5)
	f(limitRanges(), `^kube_limitrange$`, `{"metadata":{"name":"l"},"spec":{"limits":[{"type":"Pod","max":{"cpu":"1"}},{"type":"Pod","max":{"cpu":"2"}},{}]}}`, `
kube_limitrange{namespace="",limitrange="l",resource="cpu",type="Pod",constraint="max"} 1
`, 1)
	f(services(), `ingress|external_ip`, `{"metadata":{"name":"s"},"spec":{"externalIPs":["1.2.3.4","1.2.3.4"]},"status":{"loadBalancer":{"ingress":[{},{}]}}}`, `
kube_service_spec_external_ip{namespace="",service="s",uid="",external_ip="1.2.3.4"} 1
kube_service_status_load_balancer_ingress{namespace="",service="s",uid="",ip="",hostname=""} 1
`, 2)

	// Texts with a special meaning in an exposition.
	f(namespaces(), `labels|condition`, `{"metadata":{"name":"n","labels":{"q":"a \"b\"","s":"\\","l":"x\ny","c":"x\ry","b":"{a=\"b\"} 1"}},
		"status":{"conditions":[{"type":"two\nlines","status":"\"True"}]}}`, `
kube_namespace_labels{namespace="n",label_b="{a=\"b\"} 1",label_c="x`+"\r"+`y",label_l="x\ny",label_q="a \"b\"",label_s="\\"} 1
kube_namespace_status_condition{namespace="n",condition="two\nlines",status="true"} 0
kube_namespace_status_condition{namespace="n",condition="two\nlines",status="false"} 0
kube_namespace_status_condition{namespace="n",condition="two\nlines",status="unknown"} 0
`, 0)

	// null is the same as absent.
	f(persistentVolumeClaims(), `.`, `{"metadata":{"name":"c","annotations":null,"labels":null},"spec":{"storageClassName":null,"resources":{"requests":null}},"status":null}`, `
kube_persistentvolumeclaim_labels{namespace="",persistentvolumeclaim="c"} 1
kube_persistentvolumeclaim_info{namespace="",persistentvolumeclaim="c",storageclass="",volumename="",volumemode=""} 1
`, 0)
}

// Strings in protobuf may contain any bytes, but an exposition must be valid UTF-8.
func TestInvalidUTF8IsReplaced(t *testing.T) {
	n := corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name:   "bad\xff\"name",
		Labels: map[string]string{"k\xfe": "caf\xc3\xa9 \xc3", "plain": "ok"},
	}}
	raw, err := n.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	filter := everything(t)
	filter.allow = []matcher{mustMatch(t, "labels")}
	var l Lines
	if err := mustRenderer(t, namespaces(), filter).Render(wire.Protobuf, raw, &l); err != nil {
		t.Fatal(err)
	}
	want := "kube_namespace_labels{namespace=\"bad\uFFFD\\\"name\",label_k_=\"café \uFFFD\",label_plain=\"ok\"} 1\n"
	if string(l.Buf) != want {
		t.Errorf("got %s, want %s", l.Buf, want)
	}
}

func mustMatch(t testing.TB, pattern string) matcher {
	t.Helper()
	m, err := compile(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
