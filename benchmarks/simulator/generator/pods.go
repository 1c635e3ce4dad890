package generator

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// podState is the state of a generated pod.
type podState int

const (
	podRunning podState = iota
	podUnschedulable
	podCreating
	podCrashing
	podSucceeded
	podFailed
)

// randomState returns a random state, with the frequencies of a mostly healthy cluster.
func (g *generator) randomState() podState {
	switch n := g.random.IntN(1000); {
	case n < 10:
		return podUnschedulable
	case n < 15:
		return podCreating
	case n < 25:
		return podCrashing
	case n < 28:
		return podFailed
	}
	return podRunning
}

// pod generates a pod of w on a node. An unschedulable pod gets no node.
func (g *generator) pod(w *workload, meta metav1.ObjectMeta, node nodeIdentity, state podState) *corev1.Pod {
	if w.podSpec == nil {
		w.podSpec = new(g.admittedPodSpec(w))
	}
	pod := &corev1.Pod{ObjectMeta: meta, Spec: *w.podSpec}
	pod.Annotations = w.template.Annotations
	if state != podUnschedulable {
		g.schedule(pod, node)
	}
	g.setPodStatus(pod, node, state)
	template := &corev1.Pod{ObjectMeta: meta, Spec: w.template.Spec}
	spec := g.cachedFieldSet(w.shape+" pod", template, "metadata", "spec")
	status := g.cachedFieldSet(w.shape+" pod status", pod, "status")
	pod.ManagedFields = []metav1.ManagedFieldsEntry{
		managed("kube-controller-manager", "v1", "", pod.CreationTimestamp, spec),
		managed("kubelet", "v1", "status", g.after(pod.CreationTimestamp, 9*time.Second), status),
	}
	return pod
}

// schedule assigns the pod to a node and gives it an address.
func (g *generator) schedule(pod *corev1.Pod, node nodeIdentity) {
	pod.Spec.NodeName = node.name
	pod.Status.PodIP = g.address()
	pod.Annotations = maps.Clone(pod.Annotations)
	const network = `[{"name":"default","interface":"eth0","ips":[%q],"mac":"0a:58:%02x:%02x:%02x:%02x","default":true}]`
	pod.Annotations["cni.example.com/network-status"] = fmt.Sprintf(network, pod.Status.PodIP,
		g.random.IntN(256), g.random.IntN(256), g.random.IntN(256), g.random.IntN(256))
}

// setPodStatus sets the status of a pod according to a state.
func (g *generator) setPodStatus(pod *corev1.Pod, node nodeIdentity, state podState) {
	created := pod.CreationTimestamp
	status := &pod.Status
	*status = corev1.PodStatus{PodIP: status.PodIP, QOSClass: corev1.PodQOSBurstable, Phase: corev1.PodPending}
	if state == podUnschedulable {
		status.Conditions = []corev1.PodCondition{{
			Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable,
			LastTransitionTime: created,
			Message: "0/500 nodes are available: 500 Insufficient cpu. preemption: 0/500 nodes are available: " +
				"500 No preemption victims found for incoming pod.",
		}}
		return
	}
	status.HostIP, status.HostIPs = node.address, []corev1.HostIP{{IP: node.address}}
	status.PodIPs = []corev1.PodIP{{IP: status.PodIP}}
	status.StartTime = new(g.after(created, time.Second))
	switch state {
	case podRunning, podCrashing:
		status.Phase = corev1.PodRunning
	case podSucceeded:
		status.Phase = corev1.PodSucceeded
	case podFailed:
		status.Phase, status.Reason, status.Message = corev1.PodFailed, "Evicted", "The node was low on resource: memory."
	}
	status.Conditions = g.podConditions(created, state)
	for _, c := range pod.Spec.InitContainers {
		s := g.containerStatus(c, pod, podSucceeded)
		s.Ready = true
		status.InitContainerStatuses = append(status.InitContainerStatuses, s)
	}
	for i, c := range pod.Spec.Containers {
		containerState := state
		if state == podCrashing && i > 0 {
			containerState = podRunning
		}
		status.ContainerStatuses = append(status.ContainerStatuses, g.containerStatus(c, pod, containerState))
	}
}

func (g *generator) podConditions(created metav1.Time, state podState) []corev1.PodCondition {
	ready, reason, up := corev1.ConditionTrue, "", corev1.ConditionTrue
	switch state {
	case podCreating:
		ready, reason, up = corev1.ConditionFalse, "ContainersNotReady", corev1.ConditionFalse
	case podCrashing, podFailed:
		ready, reason = corev1.ConditionFalse, "ContainersNotReady"
	case podSucceeded:
		ready, reason, up = corev1.ConditionFalse, "PodCompleted", corev1.ConditionFalse
	}
	later := func(d time.Duration) metav1.Time { return g.after(created, d) }
	return []corev1.PodCondition{
		{Type: corev1.PodReadyToStartContainers, Status: up, LastTransitionTime: later(4 * time.Second)},
		{Type: corev1.PodInitialized, Status: corev1.ConditionTrue, LastTransitionTime: later(5 * time.Second)},
		{Type: corev1.PodReady, Status: ready, Reason: reason, LastTransitionTime: later(9 * time.Second)},
		{Type: corev1.ContainersReady, Status: ready, Reason: reason, LastTransitionTime: later(9 * time.Second)},
		{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: created},
	}
}

func (g *generator) containerStatus(c corev1.Container, pod *corev1.Pod, state podState) corev1.ContainerStatus {
	id := "containerd://" + digest(string(pod.UID)+c.Name) // the same in all states of the pod
	started := g.after(pod.CreationTimestamp, 3*time.Second)
	running := state == podRunning
	s := corev1.ContainerStatus{
		Name: c.Name, Image: c.Image, ImageID: c.Image + "@sha256:" + digest(c.Image), ContainerID: id,
		Ready: running, Started: &running, AllocatedResources: c.Resources.Requests,
	}
	terminated := func(code int32, reason string) *corev1.ContainerStateTerminated {
		return &corev1.ContainerStateTerminated{
			ExitCode: code, Reason: reason, StartedAt: started, FinishedAt: g.after(started, 41*time.Second), ContainerID: id,
		}
	}
	switch state {
	case podRunning:
		s.State.Running = &corev1.ContainerStateRunning{StartedAt: started}
		if g.chance(5) {
			s.RestartCount = 1 + g.random.Int32N(4)
			s.LastTerminationState.Terminated = terminated(137, "OOMKilled")
		}
	case podCreating:
		s.ContainerID, s.ImageID = "", ""
		s.State.Waiting = &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}
	case podCrashing:
		s.RestartCount = 5 + g.random.Int32N(500)
		message := "back-off 5m0s restarting failed container=" + c.Name
		s.State.Waiting = &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: message}
		s.LastTerminationState.Terminated = terminated(1, "Error")
	case podSucceeded:
		s.State.Terminated = terminated(0, "Completed")
	default:
		s.State.Terminated = terminated(137, "ContainerStatusUnknown")
	}
	return s
}

// digest returns 64 hexadecimal digits that follow from the text.
func digest(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }

// randomNode returns the node for a pod that may run anywhere.
func (g *generator) randomNode() nodeIdentity {
	if len(g.nodes) == 0 {
		return nodeIdentity{name: "node", address: "10.0.0.1"}
	}
	return pick(g, g.nodes...)
}

// choosePodStates sets the number of the workload's pods and their random states.
func (g *generator) choosePodStates(w *workload, pods int) {
	w.replicas, w.ready, w.states = int32(pods), 0, make([]podState, pods)
	for i := range w.states {
		if w.states[i] = g.randomState(); w.states[i] == podRunning {
			w.ready++
		}
	}
}

// putPods generates the pods of the workload, with generated names.
func (g *generator) putPods(w *workload, prefix string, owner metav1.OwnerReference, labels map[string]string) {
	for _, state := range w.states {
		meta := g.ownedMeta(w, prefix+"-"+g.suffix(), owner)
		meta.GenerateName, meta.Labels = prefix+"-", labels
		g.put(g.pod(w, meta, g.randomNode(), state))
	}
	g.podsMade += len(w.states)
}
