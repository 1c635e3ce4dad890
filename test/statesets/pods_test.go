package statesets

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// addPods adds pods in all phases, with containers in all states.
func (c *cluster) addPods() {
	c.pod("web-ready", always)
	c.pod("web-sick", "0-10 60-90")
	c.pod("web-sick", "10-60", notReady)
	c.pod("web-late", "30-90")
	c.pod("web-removed", "0-40", notReady)
	c.pod("web-waiting", "5-50", phase(corev1.PodPending), unscheduled("Unschedulable"))
	c.pod("web-waiting", "50-90")
	c.pod("web-gated", "0-60", phase(corev1.PodPending), unscheduled("SchedulingGated"))
	c.pod("web-setup", "0-35", phase(corev1.PodPending), notReady, container(waiting("PodInitializing")), setup(running()))
	c.pod("web-setup", "35-90", setup(terminated("Completed")))
	c.pod("web-pulling", "0-30", phase(corev1.PodPending), notReady, setup(waiting("ImagePullBackOff")))
	c.pod("web-silent", "20-55", phase(corev1.PodUnknown), condition(corev1.PodReady, unknown))
	c.pod("web-crashing", "0-20 22-24 26-90", notReady, container(waiting("CrashLoopBackOff")))
	c.pod("web-crashing", "20-22 24-26", notReady, container(terminated("Error")))
	c.pod("backup-1", "0-40", ownedBy("Job", "backup"), notReady)
	c.pod("backup-1", "40-90", ownedBy("Job", "backup"), phase(corev1.PodSucceeded), notReady,
		container(terminated("Completed")))
	c.pod("import-1", "0-20", ownedBy("Job", "import"))
	c.pod("import-1", "20-70", ownedBy("Job", "import"), phase(corev1.PodFailed), notReady,
		container(terminated("Error")))
	c.pod("static", always, func(p *corev1.Pod) { p.OwnerReferences, p.Status.QOSClass = nil, corev1.PodQOSBestEffort })
	c.pod("guaranteed", always, func(p *corev1.Pod) { p.Status.QOSClass = corev1.PodQOSGuaranteed })
}

// pod adds a pod that is healthy except for changes.
func (c *cluster) pod(name, minutes string, changes ...func(*corev1.Pod)) {
	p := &corev1.Pod{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}}
	p.Name, p.Namespace = name, namespace
	p.Spec.NodeName = "steady"
	p.Spec.Containers = []corev1.Container{{Name: "app", Image: "app", Resources: resources()}}
	p.Status = corev1.PodStatus{
		Phase: corev1.PodRunning, QOSClass: corev1.PodQOSBurstable,
		ContainerStatuses: []corev1.ContainerStatus{{Name: "app", Image: "app", State: running(), Ready: true}},
	}
	for _, change := range append([]func(*corev1.Pod){
		ownedBy("ReplicaSet", "web-1"), condition(corev1.PodScheduled, yes), condition(corev1.PodReady, yes),
	}, changes...) {
		change(p)
	}
	c.add(minutes, p)
}

func phase(phase corev1.PodPhase) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Status.Phase = phase }
}

func ownedBy(kind, name string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.OwnerReferences = []metav1.OwnerReference{{Kind: kind, Name: name, Controller: new(true)}}
	}
}

func condition(t corev1.PodConditionType, status corev1.ConditionStatus) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		for i := range p.Status.Conditions {
			if p.Status.Conditions[i].Type == t {
				p.Status.Conditions[i].Status = status
				return
			}
		}
		p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: t, Status: status})
	}
}

func notReady(p *corev1.Pod) {
	condition(corev1.PodReady, no)(p)
	p.Status.ContainerStatuses[0].Ready = false
}

// unscheduled makes a pod one that has no node yet, and so neither container statuses nor the condition Ready.
func unscheduled(reason string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.NodeName, p.Status.ContainerStatuses = "", nil
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: no, Reason: reason}}
	}
}

func container(state corev1.ContainerState) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Status.ContainerStatuses[0].State = state }
}

// setup adds an init container.
func setup(state corev1.ContainerState) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.InitContainers = []corev1.Container{{Name: "setup", Image: "setup"}}
		p.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: "setup", Image: "setup", State: state}}
	}
}

func running() corev1.ContainerState {
	return corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
}

func waiting(reason string) corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}}
}

func terminated(reason string) corev1.ContainerState {
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: reason, ExitCode: 1}}
}
