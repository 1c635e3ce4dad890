package resources

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// podBeyondFamilies are the families that kube-state-metrics does not have.
func podBeyondFamilies() []family[corev1.Pod] {
	return slices.Concat(
		podContainers().beyondFamilies("status.containerStatuses."),
		podInitContainers().beyondFamilies("status.initContainerStatuses."),
		podResourceFamilies(),
		[]family[corev1.Pod]{
			optIn(gauge(Alpha, "kube_pod_status_resize", "Always 1; names a resize of the pod's resources that waits or is under way, and the reason for which it does not get on.", podResize)),
			optIn(withFields("metadata.labels", gauge(Alpha, "kube_pod_workload", "Always 1; names the workload that the pod belongs to, and the pod's controller.", podWorkload))),
			optIn(gauge(Alpha, "kube_pod_status_conditions", "Always 1; names a condition of the pod, the status that it has, and the reason.", func(p *corev1.Pod, w *SampleWriter) {
				for _, c := range p.Status.Conditions {
					w.presentCondition(string(c.Type), c.Status, c.Reason)
				}
			})),
			optIn(withFields("spec.readinessGates", gauge(Alpha, "kube_pod_readiness_gate_info", "Always 1; names a condition that has to be true for the pod to be ready.", func(p *corev1.Pod, w *SampleWriter) {
				for i := range p.Spec.ReadinessGates {
					w.UniqueSample(1, "condition", string(p.Spec.ReadinessGates[i].ConditionType))
				}
			}))),
			optIn(withFields("spec.schedulingGates", gauge(Alpha, "kube_pod_scheduling_gate_info", "Always 1; names a gate that has to be removed before the pod is scheduled.", func(p *corev1.Pod, w *SampleWriter) {
				for i := range p.Spec.SchedulingGates {
					w.UniqueSample(1, "gate", p.Spec.SchedulingGates[i].Name)
				}
			}))),
			optIn(withFields("spec.terminationGracePeriodSeconds", gauge(Alpha, "kube_pod_termination_grace_period_seconds", "Time that the pod has to end before it is killed, in seconds.", func(p *corev1.Pod, w *SampleWriter) {
				optionalInt(w, p.Spec.TerminationGracePeriodSeconds)
			}))),
			optIn(withFields("spec.schedulingGroup.podGroupName", gauge(Alpha, "kube_pod_scheduling_group_info", "Always 1; names the group of pods that the pod is scheduled with.", func(p *corev1.Pod, w *SampleWriter) {
				if g := p.Spec.SchedulingGroup; g != nil && g.PodGroupName != nil {
					w.Sample(1, "scheduling_group", *g.PodGroupName)
				}
			}))),
			optIn(withFields("status.containerStatuses.allocatedResourcesStatus.name "+
				"status.containerStatuses.allocatedResourcesStatus.resources.resourceID "+
				"status.containerStatuses.allocatedResourcesStatus.resources.health",
				gauge(Alpha, "kube_pod_container_status_device_health", "Always 1; names a device of the container and its health.", podDeviceHealth))),
		})
}

// beyondFamilies are the families of the resources that are in effect for the containers. statuses is the path of the
// container statuses.
func (c containers) beyondFamilies(statuses string) []family[corev1.Pod] {
	return []family[corev1.Pod]{
		optIn(withFields(statuses+"resources.limits", withUnit(unitByLabel("unit"),
			gauge(Alpha, c.prefix+"status_resource_limits", "Amount of a resource that the "+c.noun+" as it runs may use at most, in the unit that its label names.", c.statusResources(limits))))),
		optIn(withFields(statuses+"resources.requests", withUnit(unitByLabel("unit"),
			gauge(Alpha, c.prefix+"status_resource_requests", "Amount of a resource that the "+c.noun+" as it runs asks for, in the unit that its label names.", c.statusResources(requests))))),
	}
}

// podResourceFamilies are the families of the resources of the pod as a whole.
func podResourceFamilies() []family[corev1.Pod] {
	inSpec := func(p *corev1.Pod) *corev1.ResourceRequirements { return p.Spec.Resources }
	inStatus := func(p *corev1.Pod) *corev1.ResourceRequirements { return p.Status.Resources }
	declare := func(name, field, help string, of func(*corev1.Pod) *corev1.ResourceRequirements, list func(*corev1.ResourceRequirements) corev1.ResourceList) family[corev1.Pod] {
		return optIn(withFields(field, withUnit(unitByLabel("unit"), gauge(Alpha, name, help+", in the unit that its label names.", func(p *corev1.Pod, w *SampleWriter) {
			if r := of(p); r != nil {
				w.amounts(list(r), "node", p.Spec.NodeName)
			}
		}))))
	}
	return []family[corev1.Pod]{
		declare("kube_pod_spec_resource_limits", "spec.resources.limits", "Amount of a resource that the pod as a whole may use at most", inSpec, limits),
		declare("kube_pod_spec_resource_requests", "spec.resources.requests", "Amount of a resource that the pod as a whole asks for", inSpec, requests),
		declare("kube_pod_status_resource_limits", "status.resources.limits", "Amount of a resource that the pod as it runs may use at most as a whole", inStatus, limits),
		declare("kube_pod_status_resource_requests", "status.resources.requests", "Amount of a resource that the pod as it runs asks for as a whole", inStatus, requests),
	}
}

func limits(r *corev1.ResourceRequirements) corev1.ResourceList { return r.Limits }

func requests(r *corev1.ResourceRequirements) corev1.ResourceList { return r.Requests }

// podResize appends the conditions of an in-place resize that are true.
func podResize(p *corev1.Pod, w *SampleWriter) {
	for _, c := range p.Status.Conditions {
		if c.Status != corev1.ConditionTrue || c.Type != corev1.PodResizePending && c.Type != corev1.PodResizeInProgress {
			continue
		}
		reason := c.Reason
		switch reason {
		case "", corev1.PodReasonDeferred, corev1.PodReasonInfeasible, corev1.PodReasonError:
		default:
			reason = otherReason
		}
		w.UniqueSample(1, "type", string(c.Type), "reason", reason)
	}
}

func podDeviceHealth(p *corev1.Pod, w *SampleWriter) {
	for i := range p.Status.ContainerStatuses {
		s := &p.Status.ContainerStatuses[i]
		for _, allocated := range s.AllocatedResourcesStatus {
			for _, device := range allocated.Resources {
				w.UniqueSample(1, "container", s.Name, "resource", resourceLabel(allocated.Name), "device", string(device.ResourceID), "health", string(device.Health))
			}
		}
	}
}
