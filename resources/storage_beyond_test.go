package resources

import "testing"

// Fields are missing, null, empty or duplicates.
func TestUnusualServicesAndClaimsOfFamiliesBeyond(t *testing.T) {
	f := func(k Kind, families, object, want string, wantSkipped int) {
		t.Helper()
		rendersOptIn(t, k, families, object, want, wantSkipped)
	}
	f(services(), "kube_service_spec_(ports|selector)", `{"metadata":{"name":"s"},"spec":{"ports":null,"selector":{}}}`, "", 0)
	f(services(), "kube_service_spec_(ports|selector)", `{"metadata":{"name":"s"},"spec":{"ports":[{},{},{"port":-1,"targetPort":"a\"b","nodePort":null}],
		"selector":{"a.b":"1","a-b":"2"}}}`, `
kube_service_spec_ports{namespace="",service="s",uid="",port_name="",port_protocol="",port_number="0",target_port="",node_port_number=""} 1
kube_service_spec_ports{namespace="",service="s",uid="",port_name="",port_protocol="",port_number="-1",target_port="a\"b",node_port_number=""} 1
kube_service_spec_selector{namespace="",service="s",uid="",selector_a_b_conflict1="2",selector_a_b_conflict2="1"} 1
`, 1)

	all := "kube_persistentvolumeclaim_(volume_attributes|status_(current|modify|capacity|allocated|resize|condition_last)).*"
	f(persistentVolumeClaims(), all, `{"metadata":{"name":"c"},"spec":{"volumeAttributesClassName":null},"status":{"currentVolumeAttributesClassName":"",
		"modifyVolumeStatus":null,"capacity":{"cpu":"1"},"allocatedResources":null,"allocatedResourceStatuses":{},"conditions":[{"type":"A","status":"True","lastTransitionTime":null}]}}`, "", 0)
	f(persistentVolumeClaims(), all, `{"metadata":{"name":"c"},"status":{"modifyVolumeStatus":{"status":"Later"},
		"capacity":{"storage":"1e3"},"allocatedResources":{"storage":"-0"},"allocatedResourceStatuses":{"storage":"","a.b/c":"x","a-b/c":"x"},
		"conditions":[{"type":"A","status":"yes","lastTransitionTime":"2026-01-01T00:00:00Z"}]}}`, `
kube_persistentvolumeclaim_status_modify_volume_status{namespace="",persistentvolumeclaim="c",status="Pending",target_volume_attributes_class=""} 0
kube_persistentvolumeclaim_status_modify_volume_status{namespace="",persistentvolumeclaim="c",status="InProgress",target_volume_attributes_class=""} 0
kube_persistentvolumeclaim_status_modify_volume_status{namespace="",persistentvolumeclaim="c",status="Infeasible",target_volume_attributes_class=""} 0
kube_persistentvolumeclaim_status_capacity_bytes{namespace="",persistentvolumeclaim="c"} 1000
kube_persistentvolumeclaim_status_allocated_resource_bytes{namespace="",persistentvolumeclaim="c",resource="storage"} 0
kube_persistentvolumeclaim_status_resize{namespace="",persistentvolumeclaim="c",resource="a_b_c",status="x"} 1
kube_persistentvolumeclaim_status_resize{namespace="",persistentvolumeclaim="c",resource="storage",status=""} 1
`, 2)
}
