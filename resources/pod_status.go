package resources

import (
	"time"

	corev1 "k8s.io/api/core/v1"
)

// otherReason replaces a reason that a family does not distinguish.
const otherReason = "Other"

// podReasons are the reasons that kube_pod_status_reason distinguishes.
var podReasons = [...]string{
	"Evicted", "NodeAffinity", "NodeLost", "PreemptionByScheduler", "SchedulingGated",
	"Shutdown", "TerminationByKubelet", "UnexpectedAdmissionError",
}

// podStatusFamilies are the families of the pod's status.
func podStatusFamilies() []family[corev1.Pod] {
	return []family[corev1.Pod]{
		gauge(Stable, "kube_pod_start_time", "Time when the kubelet first saw the pod, in unix seconds.", func(p *corev1.Pod, w *SampleWriter) { w.Time(p.Status.StartTime) }),
		gauge(Stable, "kube_pod_status_phase", "Phase of the pod, 1 for the current one.", func(p *corev1.Pod, w *SampleWriter) {
			if phase := p.Status.Phase; phase != "" {
				w.StateSet("phase", string(phase), "Pending", "Succeeded", "Failed", "Unknown", "Running")
			}
		}),
		gauge(Alpha, "kube_pod_status_qos_class", "Quality of service class of the pod, 1 for the current one.", func(p *corev1.Pod, w *SampleWriter) {
			if class := p.Status.QOSClass; class != "" {
				w.StateSet("qos_class", string(class), "BestEffort", "Burstable", "Guaranteed")
			}
		}),
		gauge(Stable, "kube_pod_status_ready", "Whether the pod is ready, 1 for the status that its condition Ready has.", podCondition(corev1.PodReady)),
		gauge(Alpha, "kube_pod_status_ready_time", "Time when the pod became ready, in unix seconds; only while it is.", podConditionTime(corev1.PodReady, corev1.ConditionTrue)),
		gauge(Alpha, "kube_pod_status_initialized_time", "Time when all of the pod's init containers had ended well, in unix seconds.", podConditionTime(corev1.PodInitialized, corev1.ConditionTrue)),
		gauge(Alpha, "kube_pod_status_container_ready_time", "Time when all of the pod's containers became ready, in unix seconds; only while they are.", podConditionTime(corev1.ContainersReady, corev1.ConditionTrue)),
		gauge(Alpha, "kube_pod_status_reason", "Always 1; names a reason for the pod's state that the pod, a condition or an ended container gives, as far as it is one of the known.", podStatusReason),
		gauge(Alpha, "kube_pod_status_disruption_reason", "Always 1; names the reason for which the pod is about to be terminated by a disruption.", podDisruptionReason),
		gauge(Stable, "kube_pod_status_scheduled", "Whether the pod is scheduled, 1 for the status that its condition PodScheduled has.", podCondition(corev1.PodScheduled)),
		gauge(Stable, "kube_pod_status_scheduled_time", "Time when the pod was given to a node, in unix seconds.", podConditionTime(corev1.PodScheduled, corev1.ConditionTrue)),
		gauge(Stable, "kube_pod_status_unschedulable", "Always 1, for a pod that no node was found for.", func(p *corev1.Pod, w *SampleWriter) {
			if podConditionWith(p, corev1.PodScheduled, corev1.ConditionFalse) != nil {
				w.Value(1)
			}
		}),
		gauge(Alpha, "kube_pod_status_unscheduled_time", "Time since which no node is found for the pod, in unix seconds; only while that is so.", podConditionTime(corev1.PodScheduled, corev1.ConditionFalse)),
	}
}

// podConditionWith returns the condition of this type if it has the given status, else nil.
func podConditionWith(p *corev1.Pod, t corev1.PodConditionType, status corev1.ConditionStatus) *corev1.PodCondition {
	for i := range p.Status.Conditions {
		if c := &p.Status.Conditions[i]; c.Type == t && c.Status == status {
			return c
		}
	}
	return nil
}

func podCondition(t corev1.PodConditionType) func(*corev1.Pod, *SampleWriter) {
	return func(p *corev1.Pod, w *SampleWriter) {
		for i := range p.Status.Conditions {
			if c := &p.Status.Conditions[i]; c.Type == t {
				w.conditionStatus(c.Status, "condition")
			}
		}
	}
}

func podConditionTime(t corev1.PodConditionType, status corev1.ConditionStatus) func(*corev1.Pod, *SampleWriter) {
	return func(p *corev1.Pod, w *SampleWriter) {
		if c := podConditionWith(p, t, status); c != nil {
			w.Time(&c.LastTransitionTime)
		}
	}
}

// podCompletionTime considers the containers that have ended even while others are running.
func podCompletionTime(p *corev1.Pod, w *SampleWriter) {
	var last time.Time
	for i := range p.Status.ContainerStatuses {
		if ended := p.Status.ContainerStatuses[i].State.Terminated; ended != nil && ended.FinishedAt.After(last) {
			last = ended.FinishedAt.Time
		}
	}
	if end := last.Unix(); end > 0 { // 1970 means that the container runtime does not know the time
		w.Int(end)
	}
}

func podStatusReason(p *corev1.Pod, w *SampleWriter) {
	known := p.Status.Reason == ""
	for _, reason := range podReasons {
		known = known || reason == p.Status.Reason
		if podNamesReason(p, reason) {
			w.Sample(1, "reason", reason)
		}
	}
	if !known {
		w.Sample(1, "reason", otherReason)
	}
}

// podNamesReason ignores init containers, as existing queries expect.
func podNamesReason(p *corev1.Pod, reason string) bool {
	if p.Status.Reason == reason {
		return true
	}
	for i := range p.Status.Conditions {
		if p.Status.Conditions[i].Reason == reason {
			return true
		}
	}
	for i := range p.Status.ContainerStatuses {
		if ended := p.Status.ContainerStatuses[i].State.Terminated; ended != nil && ended.Reason == reason {
			return true
		}
	}
	return false
}

// podDisruptionReason ignores the status of the condition, as existing queries expect.
func podDisruptionReason(p *corev1.Pod, w *SampleWriter) {
	for _, c := range p.Status.Conditions {
		if c.Type != corev1.DisruptionTarget {
			continue
		}
		switch c.Reason {
		case "PreemptionByScheduler", "DeletionByTaintManager", "EvictionByEvictionAPI", "DeletionByPodGC", "TerminationByKubelet":
			w.UniqueSample(1, "reason", c.Reason)
		default:
			w.UniqueSample(1, "reason", otherReason)
		}
	}
}
