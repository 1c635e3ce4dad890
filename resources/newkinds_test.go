package resources

import (
	"fmt"
	"testing"

	resourcev1 "k8s.io/api/resource/v1"

	"github.com/statefleet/statefleet/internal/testing/conformance"
	"github.com/statefleet/statefleet/internal/wire"
)

// TestUnusualDeviceObjects is TestUnusualObjects for the kinds of dynamic resource allocation.
func TestUnusualDeviceObjects(t *testing.T) {
	f := func(k Kind, families, object, want string, wantSkipped int) {
		t.Helper()
		rendersAs(t, k, families, object, want, wantSkipped)
	}
	f(resourceClaims(), `request|status`, `{"metadata":{"name":"c"},"spec":null,"status":null}`, `
kube_resourceclaim_status_allocated{namespace="",resourceclaim="c"} 0
`, 0)
	f(resourceClaims(), `request|status`, `{"metadata":{"name":"c"},"spec":{"devices":{"requests":[{},{"name":"a","exactly":null,"firstAvailable":null},{"name":"b","exactly":{}},
		{"name":"b","exactly":{}},{"name":"d","exactly":{"count":-1},"firstAvailable":[{}]}]}},"status":{"reservedFor":[{},{}],
		"allocation":{"devices":{"results":[{},{},{"device":"x","adminAccess":null}]}}}}`, `
kube_resourceclaim_request_info{namespace="",resourceclaim="c",request="b",device_class="",allocation_mode=""} 1
kube_resourceclaim_request_info{namespace="",resourceclaim="c",request="d",device_class="",allocation_mode=""} 1
kube_resourceclaim_request_info{namespace="",resourceclaim="c",request="d/",device_class="",allocation_mode=""} 1
kube_resourceclaim_request_count{namespace="",resourceclaim="c",request="d",device_class=""} -1
kube_resourceclaim_status_allocated{namespace="",resourceclaim="c"} 1
kube_resourceclaim_status_reserved_for{namespace="",resourceclaim="c",resource="",name="",uid=""} 1
kube_resourceclaim_status_device_info{namespace="",resourceclaim="c",request="",driver="",pool="",device="",admin_access="false"} 1
kube_resourceclaim_status_device_info{namespace="",resourceclaim="c",request="",driver="",pool="",device="x",admin_access="false"} 1
`, 2)
	f(resourceSlices(), `info|devices`, `{"metadata":{"name":"s"},"spec":{"nodeName":null,"devices":[{},{}]}}`, `
kube_resourceslice_info{resourceslice="s",driver="",pool="",node="",generation="0",slice_count="0"} 1
kube_resourceslice_devices{resourceslice="s"} 2
`, 0)
	f(deviceClasses(), `info`, `{"metadata":{"name":"c"},"spec":{"extendedResourceName":null}}`, `
kube_deviceclass_info{deviceclass="c",extended_resource_name=""} 1
`, 0)
	f(deviceTaintRules(), `info`, `{"metadata":{"name":"r"},"spec":{"deviceSelector":null,"taint":null}}`, `
kube_devicetaintrule_info{devicetaintrule="r",driver="",pool="",device="",key="",value="",effect=""} 1
`, 0)
}

// TestUnusualClasses is TestUnusualObjects for classes and for the objects of CSI drivers.
func TestUnusualClasses(t *testing.T) {
	f := func(k Kind, families, object, want string, wantSkipped int) {
		t.Helper()
		rendersAs(t, k, families, object, want, wantSkipped)
	}
	f(volumeAttributesClasses(), `info|parameters`, `{"metadata":{"name":"c"},"parameters":{"iops":"1e3","Iops":"2","kubectl.kubernetes.io/last-applied-configuration":"x","type":null}}`, `
kube_volumeattributesclass_info{volumeattributesclass="c",driver_name=""} 1
kube_volumeattributesclass_parameters{volumeattributesclass="c",parameter_iops="1e3",parameter_type=""} 1
`, 0)
	f(priorityClasses(), `info|value`, `{"metadata":{"name":"c"},"value":-0,"globalDefault":null,"preemptionPolicy":null}`, `
kube_priorityclass_info{priorityclass="c",preemption_policy="PreemptLowerPriority",global_default="false"} 1
kube_priorityclass_value{priorityclass="c"} 0
`, 0)
	f(runtimeClasses(), `.`, `{"metadata":{"name":"c"},"handler":"a\nb"}`, `
kube_runtimeclass_info{runtimeclass="c",handler="a\nb"} 1
`, 0)
	f(csiNodes(), `.`, `{"metadata":{"name":"n"},"spec":{"drivers":[{},{"name":"d","allocatable":null},{"name":"d","allocatable":{"count":null}},{"name":"d","allocatable":{"count":-1}}]}}`, `
kube_csinode_driver_info{csinode="n",driver="",node_id=""} 1
kube_csinode_driver_info{csinode="n",driver="d",node_id=""} 1
kube_csinode_driver_allocatable{csinode="n",driver="d"} -1
`, 2)
	f(csiDrivers(), `.`, `{"metadata":{"name":"d"},"spec":null}`, `
kube_csidriver_info{csidriver="d",attach_required="",fs_group_policy="",pod_info_on_mount="",requires_republish="",selinux_mount="",storage_capacity=""} 1
`, 0)
}

// Render returns an error.
func TestFieldsOfTheWrongTypeAreRejected(t *testing.T) {
	for _, c := range []struct {
		kind   Kind
		object string
	}{
		{resourceClaims(), `{"status":{"reservedFor":"pods"}}`},
		{resourceSlices(), `{"spec":{"devices":{"name":"a"}}}`},
		{deviceClasses(), `{"spec":{"extendedResourceName":1}}`},
		{deviceTaintRules(), `{"spec":{"deviceSelector":[]}}`},
		{volumeAttributesClasses(), `{"parameters":["iops"]}`},
		{priorityClasses(), `{"value":"1e3"}`},
		{runtimeClasses(), `{"handler":{}}`},
		{csiNodes(), `{"spec":{"drivers":[{"allocatable":{"count":1.5}}]}}`},
		{csiDrivers(), `{"spec":{"attachRequired":"true"}}`},
	} {
		var l Lines
		if err := mustRenderer(t, c.kind, Filter{}).Render(wire.JSON, []byte(c.object), &l); err == nil {
			t.Errorf("%s: %s: got no error, and the lines\n%s", c.kind.Name(), c.object, l.Buf)
		}
	}
}

// The API does not allow a claim to have as many devices, but such a claim must not take long either.
func TestThousandsOfDevicesAreShownOnce(t *testing.T) {
	const distinct = 5000
	claim := resourcev1.ResourceClaim{Status: resourcev1.ResourceClaimStatus{Allocation: &resourcev1.AllocationResult{}}}
	devices := &claim.Status.Allocation.Devices
	for i := range 2 * distinct {
		devices.Results = append(devices.Results, resourcev1.DeviceRequestAllocationResult{Device: fmt.Sprint(i % distinct)})
	}
	r := mustRenderer(t, resourceClaims(), only(t, "kube_resourceclaim_status_device_info"))
	for enc, raw := range encodings(t, &claim) {
		var l Lines
		if err := r.Render(wire.Encoding(enc), raw, &l); err != nil {
			t.Fatal(err)
		}
		page := conformance.NewExposition()
		if err := addLines(&page, r.Families(), l); err != nil || len(page.Values) != distinct || len(page.Twice) > 0 || l.Skipped != 0 {
			t.Errorf("got %d series, %d skipped, duplicates %v, error %v, want %d series", len(page.Values), l.Skipped, page.Twice, err, distinct)
		}
	}
}
