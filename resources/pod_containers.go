package resources

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// containers declares the families that a pod's containers and its init containers have in common.
type containers struct {
	prefix string // of the families' names
	noun   string // for one of them, in HELP texts
	// later is the stability of the families whose level differs between the two.
	later    Stability
	policy   bool // whether NAME_info has a restart policy
	specs    func(p *corev1.Pod) []corev1.Container
	statuses func(p *corev1.Pod) []corev1.ContainerStatus
}

func podContainers() containers {
	return containers{
		prefix: "kube_pod_container_", noun: "container", later: Stable,
		specs:    func(p *corev1.Pod) []corev1.Container { return p.Spec.Containers },
		statuses: func(p *corev1.Pod) []corev1.ContainerStatus { return p.Status.ContainerStatuses },
	}
}

func podInitContainers() containers {
	return containers{
		prefix: "kube_pod_init_container_", noun: "init container", later: Alpha, policy: true,
		specs:    func(p *corev1.Pod) []corev1.Container { return p.Spec.InitContainers },
		statuses: func(p *corev1.Pod) []corev1.ContainerStatus { return p.Status.InitContainerStatuses },
	}
}

// containerStatusReads lists the fields of a status that the families read.
func containerStatusReads(prefix string) string {
	var b strings.Builder
	for _, f := range strings.Fields(`name image imageID containerID ready restartCount
		state.waiting.reason state.running.startedAt
		state.terminated.reason state.terminated.startedAt state.terminated.finishedAt
		lastState.terminated.reason lastState.terminated.exitCode lastState.terminated.finishedAt`) {
		b.WriteString(prefix + f + " ")
	}
	return b.String()
}

func (c containers) families() []family[corev1.Pod] {
	return []family[corev1.Pod]{
		gauge(Stable, c.prefix+"info", "Always 1; names the image and the identifiers of the "+c.noun+".", c.info),
		withUnit(unitByLabel("unit"), gauge(c.later, c.prefix+"resource_limits", "Amount of a resource that the "+c.noun+" may use at most, in the unit that its label names.",
			c.resources(limits))),
		withUnit(unitByLabel("unit"), gauge(c.later, c.prefix+"resource_requests", "Amount of a resource that the "+c.noun+" asks for, in the unit that its label names.",
			c.resources(requests))),
		withUnit(UnixSeconds, gauge(c.later, c.prefix+"state_started", "Time when the "+c.noun+" was started, in unix seconds; none while it waits.", c.time(containerStarted))),
		gauge(Alpha, c.prefix+"status_last_terminated_reason", "Always 1; names the reason for which the "+c.noun+" ended before its last restart.",
			c.reason(func(s *corev1.ContainerStatus) (string, bool) { return endReason(s.LastTerminationState.Terminated) })),
		gauge(Alpha, c.prefix+"status_last_terminated_exitcode", "Exit code with which the "+c.noun+" ended before its last restart.",
			c.value(func(s *corev1.ContainerStatus) (float64, bool) {
				if ended := s.LastTerminationState.Terminated; ended != nil {
					return float64(ended.ExitCode), true
				}
				return 0, false
			})),
		gauge(Alpha, c.prefix+"status_last_terminated_timestamp", "Time when the "+c.noun+" ended before its last restart, in unix seconds.",
			c.time(func(s *corev1.ContainerStatus) metav1.Time {
				if ended := s.LastTerminationState.Terminated; ended != nil {
					return ended.FinishedAt
				}
				return metav1.Time{}
			})),
		gauge(Stable, c.prefix+"status_ready", "Whether the "+c.noun+" is ready, 1 or 0.",
			c.flag(func(s *corev1.ContainerStatus) bool { return s.Ready })),
		counter(Stable, c.prefix+"status_restarts_total", "Number of times that the "+c.noun+" was restarted.",
			c.value(func(s *corev1.ContainerStatus) (float64, bool) { return float64(s.RestartCount), true })),
		gauge(Stable, c.prefix+"status_running", "Whether the "+c.noun+" runs, 1 or 0.",
			c.flag(func(s *corev1.ContainerStatus) bool { return s.State.Running != nil })),
		gauge(Stable, c.prefix+"status_terminated", "Whether the "+c.noun+" has ended, 1 or 0.",
			c.flag(func(s *corev1.ContainerStatus) bool { return s.State.Terminated != nil })),
		gauge(Alpha, c.prefix+"status_terminated_reason", "Always 1; names the reason for which the "+c.noun+" has ended.",
			c.reason(func(s *corev1.ContainerStatus) (string, bool) { return endReason(s.State.Terminated) })),
		gauge(Stable, c.prefix+"status_waiting", "Whether the "+c.noun+" waits to be started, 1 or 0.",
			c.flag(func(s *corev1.ContainerStatus) bool { return s.State.Waiting != nil })),
		gauge(c.later, c.prefix+"status_waiting_reason", "Always 1; names the reason for which the "+c.noun+" waits to be started.",
			c.reason(func(s *corev1.ContainerStatus) (string, bool) {
				if waiting := s.State.Waiting; waiting != nil {
					return waiting.Reason, true
				}
				return "", false
			})),
	}
}

// info joins spec and status. It skips a container that lacks one of them.
func (c containers) info(p *corev1.Pod, w *SampleWriter) {
	all := c.specs(p)
	specs := make(map[string]*corev1.Container, len(all)) // a pod may have thousands
	for i := len(all) - 1; i >= 0; i-- {                  // the first container with a name counts
		specs[all[i].Name] = &all[i]
	}
	statuses := c.statuses(p)
	for i := range statuses {
		status := &statuses[i]
		spec := specs[status.Name]
		switch {
		case w.Full():
			return
		case spec == nil:
		case c.policy:
			w.UniqueSample(1, "container", status.Name, "image_spec", spec.Image, "image", status.Image, "image_id", status.ImageID,
				"container_id", status.ContainerID, "restart_policy", string(ptr.Deref(spec.RestartPolicy, "")))
		default:
			w.UniqueSample(1, "container", status.Name, "image_spec", spec.Image, "image", status.Image, "image_id", status.ImageID,
				"container_id", status.ContainerID)
		}
	}
}

// resources writes the amounts of one list of each container.
func (c containers) resources(of func(r *corev1.ResourceRequirements) corev1.ResourceList) func(*corev1.Pod, *SampleWriter) {
	return func(p *corev1.Pod, w *SampleWriter) {
		specs := c.specs(p)
		for i := range specs {
			w.amounts(of(&specs[i].Resources), "container", specs[i].Name, "node", p.Spec.NodeName)
		}
	}
}

// statusResources writes the amounts of one list that are in effect for each container. An in-place resize changes them
// later than the spec.
func (c containers) statusResources(of func(r *corev1.ResourceRequirements) corev1.ResourceList) func(*corev1.Pod, *SampleWriter) {
	return func(p *corev1.Pod, w *SampleWriter) {
		statuses := c.statuses(p)
		for i := range statuses {
			if r := statuses[i].Resources; r != nil {
				w.amounts(of(r), "container", statuses[i].Name, "node", p.Spec.NodeName)
			}
		}
	}
}

// value writes a number of each container that has one.
func (c containers) value(of func(s *corev1.ContainerStatus) (v float64, ok bool)) func(*corev1.Pod, *SampleWriter) {
	return func(p *corev1.Pod, w *SampleWriter) {
		statuses := c.statuses(p)
		for i := range statuses {
			if v, ok := of(&statuses[i]); ok {
				w.UniqueSample(v, "container", statuses[i].Name)
			}
		}
	}
}

func (c containers) flag(of func(s *corev1.ContainerStatus) bool) func(*corev1.Pod, *SampleWriter) {
	return c.value(func(s *corev1.ContainerStatus) (float64, bool) { return boolValue(of(s)), true })
}

func (c containers) time(of func(s *corev1.ContainerStatus) metav1.Time) func(*corev1.Pod, *SampleWriter) {
	return c.value(func(s *corev1.ContainerStatus) (float64, bool) {
		t := of(s)
		return float64(t.Unix()), !t.IsZero()
	})
}

// reason writes a reason of each container that has one, even an empty one.
func (c containers) reason(of func(s *corev1.ContainerStatus) (reason string, ok bool)) func(*corev1.Pod, *SampleWriter) {
	return func(p *corev1.Pod, w *SampleWriter) {
		statuses := c.statuses(p)
		for i := range statuses {
			if reason, ok := of(&statuses[i]); ok {
				w.UniqueSample(1, "container", statuses[i].Name, "reason", reason)
			}
		}
	}
}

func containerStarted(s *corev1.ContainerStatus) metav1.Time {
	switch {
	case s.State.Running != nil:
		return s.State.Running.StartedAt
	case s.State.Terminated != nil:
		return s.State.Terminated.StartedAt
	}
	return metav1.Time{}
}

func endReason(ended *corev1.ContainerStateTerminated) (string, bool) {
	if ended == nil {
		return "", false
	}
	return ended.Reason, true
}
