package simulator

import (
	"fmt"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// podState is how far a generated pod has come.
type podState int

const (
	podRunning podState = iota
	podUnschedulable
	podCreating
	podCrashing
	podSucceeded
	podFailed
)

// anyState is the mix of a cluster that is well on the whole.
func (g *generator) anyState() podState {
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

// pod makes a pod of w on a node, which an unschedulable one does not get.
func (g *generator) pod(w *workload, meta metav1.ObjectMeta, node nodeIdentity, state podState) *corev1.Pod {
	if w.podSpec == nil {
		spec := w.admitted()
		w.podSpec = &spec
	}
	pod := &corev1.Pod{ObjectMeta: meta, Spec: *w.podSpec}
	pod.Annotations = w.template.Annotations
	if state != podUnschedulable {
		g.place(pod, node)
	}
	g.podStatus(pod, node, state)
	specFields := g.fields(w.shape+" pod", func() *metav1.FieldsV1 {
		return ownedFields(&corev1.Pod{ObjectMeta: meta, Spec: w.template.Spec}, "metadata", "spec")
	})
	statusFields := g.fields(w.shape+" pod status", func() *metav1.FieldsV1 { return ownedFields(pod, "status") })
	pod.ManagedFields = []metav1.ManagedFieldsEntry{
		managed("kube-controller-manager", "v1", "", pod.CreationTimestamp, specFields),
		managed("kubelet", "v1", "status", g.after(pod.CreationTimestamp, 9*time.Second), statusFields),
	}
	return pod
}

// place schedules the pod and gives it an address.
func (g *generator) place(pod *corev1.Pod, node nodeIdentity) {
	pod.Spec.NodeName = node.name
	pod.Status.PodIP = g.address()
	pod.Annotations = maps.Clone(pod.Annotations)
	if pod.Annotations == nil {
		pod.Annotations = map[string]string{}
	}
	pod.Annotations["cni.example.com/network-status"] = fmt.Sprintf(`[{"name":"default","interface":"eth0","ips":[%q],"mac":"0a:58:%02x:%02x:%02x:%02x","default":true}]`,
		pod.Status.PodIP, g.random.IntN(256), g.random.IntN(256), g.random.IntN(256), g.random.IntN(256))
}

// podStatus gives a placed pod the status of a state.
func (g *generator) podStatus(pod *corev1.Pod, node nodeIdentity, state podState) {
	born := pod.CreationTimestamp
	status := &pod.Status
	*status = corev1.PodStatus{PodIP: status.PodIP, QOSClass: corev1.PodQOSBurstable, Phase: corev1.PodPending}
	if state == podUnschedulable {
		status.Conditions = []corev1.PodCondition{{
			Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, LastTransitionTime: born,
			Message: "0/500 nodes are available: 500 Insufficient cpu. preemption: 0/500 nodes are available: 500 No preemption victims found for incoming pod.",
		}}
		return
	}
	status.HostIP, status.HostIPs = node.address, []corev1.HostIP{{IP: node.address}}
	status.PodIPs = []corev1.PodIP{{IP: status.PodIP}}
	started := g.after(born, time.Second)
	status.StartTime = &started
	switch state {
	case podRunning, podCrashing:
		status.Phase = corev1.PodRunning
	case podSucceeded:
		status.Phase = corev1.PodSucceeded
	case podFailed:
		status.Phase, status.Reason, status.Message = corev1.PodFailed, "Evicted", "The node was low on resource: memory."
	}
	status.Conditions = g.podConditions(born, state)
	for _, c := range pod.Spec.InitContainers {
		s := g.containerStatus(c, pod, podSucceeded)
		s.Ready = true
		status.InitContainerStatuses = append(status.InitContainerStatuses, s)
	}
	for i, c := range pod.Spec.Containers {
		of := state
		if state == podCrashing && i > 0 {
			of = podRunning
		}
		status.ContainerStatuses = append(status.ContainerStatuses, g.containerStatus(c, pod, of))
	}
}

func (g *generator) podConditions(born metav1.Time, state podState) []corev1.PodCondition {
	ready, reason, up := corev1.ConditionTrue, "", corev1.ConditionTrue
	switch state {
	case podCreating:
		ready, reason, up = corev1.ConditionFalse, "ContainersNotReady", corev1.ConditionFalse
	case podCrashing, podFailed:
		ready, reason = corev1.ConditionFalse, "ContainersNotReady"
	case podSucceeded:
		ready, reason, up = corev1.ConditionFalse, "PodCompleted", corev1.ConditionFalse
	}
	later := func(d time.Duration) metav1.Time { return g.after(born, d) }
	return []corev1.PodCondition{
		{Type: corev1.PodReadyToStartContainers, Status: up, LastTransitionTime: later(4 * time.Second)},
		{Type: corev1.PodInitialized, Status: corev1.ConditionTrue, LastTransitionTime: later(5 * time.Second)},
		{Type: corev1.PodReady, Status: ready, Reason: reason, LastTransitionTime: later(9 * time.Second)},
		{Type: corev1.ContainersReady, Status: ready, Reason: reason, LastTransitionTime: later(9 * time.Second)},
		{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: born},
	}
}

func (g *generator) containerStatus(c corev1.Container, pod *corev1.Pod, state podState) corev1.ContainerStatus {
	id := "containerd://" + digestOf(string(pod.UID)+c.Name) // the same in all states of the pod
	started := g.after(pod.CreationTimestamp, 3*time.Second)
	up := state == podRunning
	s := corev1.ContainerStatus{
		Name: c.Name, Image: c.Image, ImageID: imageID(c.Image), ContainerID: id, Ready: up, Started: &up,
		AllocatedResources: c.Resources.Requests,
	}
	ended := func(code int32, reason string) *corev1.ContainerStateTerminated {
		return &corev1.ContainerStateTerminated{
			ExitCode: code, Reason: reason, StartedAt: started, FinishedAt: g.after(started, 41*time.Second), ContainerID: id,
		}
	}
	switch state {
	case podRunning:
		s.State.Running = &corev1.ContainerStateRunning{StartedAt: started}
		if g.chance(5) {
			s.RestartCount = 1 + g.random.Int32N(4)
			s.LastTerminationState.Terminated = ended(137, "OOMKilled")
		}
	case podCreating:
		s.ContainerID, s.ImageID = "", ""
		s.State.Waiting = &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}
	case podCrashing:
		s.RestartCount = 5 + g.random.Int32N(500)
		s.State.Waiting = &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off 5m0s restarting failed container=" + c.Name}
		s.LastTerminationState.Terminated = ended(1, "Error")
	case podSucceeded:
		s.State.Terminated = ended(0, "Completed")
	default:
		s.State.Terminated = ended(137, "ContainerStatusUnknown")
	}
	return s
}

func imageID(image string) string { return image + "@sha256:" + digestOf(image) }

// digestOf is 64 hexadecimal digits that follow from the text.
func digestOf(text string) string {
	h := hash64(text)
	return fmt.Sprintf("%016x%016x%016x%016x", h, h*3, h*5, h*7)
}

// anyNode is where a pod runs that may run anywhere.
func (g *generator) anyNode() nodeIdentity {
	if len(g.nodes) == 0 {
		return nodeIdentity{name: "node", address: "10.0.0.1"}
	}
	return g.nodes[g.random.IntN(len(g.nodes))]
}

// plan decides how many pods the workload has and how they are.
func (g *generator) plan(w *workload, pods int) {
	w.replicas, w.ready, w.states = int32(pods), 0, make([]podState, pods)
	for i := range w.states {
		if w.states[i] = g.anyState(); w.states[i] == podRunning {
			w.ready++
		}
	}
}

// replicaPods makes the planned pods, with generated names.
func (g *generator) replicaPods(w *workload, prefix string, owner metav1.OwnerReference, labels map[string]string) {
	for _, state := range w.states {
		meta := g.owned(w, prefix+"-"+g.suffix(), owner)
		meta.GenerateName, meta.Labels = prefix+"-", labels
		g.put(g.pod(w, meta, g.anyNode(), state))
	}
	g.podsMade += len(w.states)
}
