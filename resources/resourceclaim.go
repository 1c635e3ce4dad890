package resources

import (
	"strconv"

	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/utils/ptr"
)

func resourceClaims() Kind {
	return NewKind(definition[resourcev1.ResourceClaim]{
		resource: resourcev1.SchemeGroupVersion.WithResource("resourceclaims"),
		optional: true,
		identity: namespaceAndName[resourcev1.ResourceClaim]("resourceclaim"),
		// Of an allocation, only its presence and its devices matter.
		reads: `spec.devices.requests.name
			spec.devices.requests.exactly.deviceClassName spec.devices.requests.exactly.allocationMode
			spec.devices.requests.exactly.count
			spec.devices.requests.firstAvailable.name spec.devices.requests.firstAvailable.deviceClassName
			spec.devices.requests.firstAvailable.allocationMode spec.devices.requests.firstAvailable.count
			status.allocation.devices.results.request status.allocation.devices.results.driver
			status.allocation.devices.results.pool status.allocation.devices.results.device
			status.allocation.devices.results.adminAccess
			status.reservedFor.resource status.reservedFor.name status.reservedFor.uid`,
		families: []family[resourcev1.ResourceClaim]{
			createdFamily[resourcev1.ResourceClaim](Alpha, "kube_resourceclaim_created", "claim"),
			gauge(Alpha, "kube_resourceclaim_request_info", "Always 1; names a request of the claim, the class of the devices, and how many are allocated.", func(c *resourcev1.ResourceClaim, w *SampleWriter) {
				eachRequest(c, func(r deviceRequest) {
					w.UniqueSample(1, "request", r.name, "device_class", r.class, "allocation_mode", string(r.mode))
				})
			}),
			gauge(Alpha, "kube_resourceclaim_request_count", "Number of devices that a request of the claim asks for; none for one that asks for all.", func(c *resourcev1.ResourceClaim, w *SampleWriter) {
				eachRequest(c, func(r deviceRequest) {
					if r.mode != resourcev1.DeviceAllocationModeAll && r.count != 0 {
						w.UniqueSample(float64(r.count), "request", r.name, "device_class", r.class)
					}
				})
			}),
			annotationsFamily[resourcev1.ResourceClaim](Alpha, "kube_resourceclaim_annotations", "claim"),
			labelsFamily[resourcev1.ResourceClaim](Alpha, "kube_resourceclaim_labels", "claim"),
			gauge(Alpha, "kube_resourceclaim_status_allocated", "Whether devices are allocated to the claim, 1 or 0.", func(c *resourcev1.ResourceClaim, w *SampleWriter) {
				w.Bool(c.Status.Allocation != nil)
			}),
			gauge(Alpha, "kube_resourceclaim_status_reserved_for", "Always 1; names an object that may use the claim, by its resource, such as pods.", func(c *resourcev1.ResourceClaim, w *SampleWriter) {
				for _, by := range c.Status.ReservedFor {
					w.UniqueSample(1, "resource", by.Resource, "name", by.Name, "uid", string(by.UID))
				}
			}),
			gauge(Alpha, "kube_resourceclaim_status_device_info", "Always 1; names a device that is allocated to the claim, and the request that it is for.", claimDevices),
		},
	})
}

// deviceRequest is the common part of the two forms of a request.
type deviceRequest struct {
	name, class string
	mode        resourcev1.DeviceAllocationMode
	count       int64
}

// eachRequest calls visit for each request of a claim. For a request with alternatives, it calls visit for each
// alternative, with the name that an allocation uses.
func eachRequest(c *resourcev1.ResourceClaim, visit func(r deviceRequest)) {
	for _, r := range c.Spec.Devices.Requests {
		if e := r.Exactly; e != nil {
			visit(deviceRequest{r.Name, e.DeviceClassName, e.AllocationMode, e.Count})
		}
		for _, s := range r.FirstAvailable {
			visit(deviceRequest{r.Name + "/" + s.Name, s.DeviceClassName, s.AllocationMode, s.Count})
		}
	}
}

// claimDevices appends each device once: a claim may have several shares of a device.
func claimDevices(c *resourcev1.ResourceClaim, w *SampleWriter) {
	if c.Status.Allocation == nil {
		return
	}
	for _, d := range c.Status.Allocation.Devices.Results {
		w.SampleIfNew(1, "request", d.Request, "driver", d.Driver, "pool", d.Pool, "device", d.Device,
			"admin_access", strconv.FormatBool(ptr.Deref(d.AdminAccess, false)))
	}
}
