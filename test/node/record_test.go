//go:build linux

package node

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
)

// recorder records the changes of the states of a namespace's pods, one line for each change, without times. The lines
// do not depend on whether two changes come in one write or in two.
type recorder struct {
	lines []string
	known map[types.UID]podState
	watch watch.Interface
	ended sync.WaitGroup
}

// podState is the part of a pod's state that is compared.
type podState struct {
	scheduled, deleting bool
	phase               corev1.PodPhase
	container, last     string
	restarts            int32
	started             bool
	ready               string
}

// startRecording records the changes from now on, until stop is called.
func startRecording(t *testing.T, client kubernetes.Interface) *recorder {
	t.Helper()
	pods := client.CoreV1().Pods(namespace)
	list, err := pods.List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{known: map[types.UID]podState{}}
	for i := range list.Items {
		r.known[list.Items[i].UID] = podStateOf(&list.Items[i])
	}
	if r.watch, err = pods.Watch(context.WithoutCancel(t.Context()), metav1.ListOptions{ResourceVersion: list.ResourceVersion}); err != nil {
		t.Fatal(err)
	}
	r.ended.Go(func() {
		for event := range r.watch.ResultChan() {
			if pod, ok := event.Object.(*corev1.Pod); ok {
				r.add(event.Type, pod)
			}
		}
	})
	return r
}

// stop ends the recording and returns the lines.
func (r *recorder) stop() []string {
	time.Sleep(time.Second) // changes that follow immediately are part of the record
	r.watch.Stop()
	r.ended.Wait()
	return r.lines
}

func (r *recorder) add(kind watch.EventType, pod *corev1.Pod) {
	before, known := r.known[pod.UID]
	now := podStateOf(pod)
	if !known {
		r.lines = append(r.lines, pod.Name+": created")
	}
	for _, change := range now.changesSince(before) {
		r.lines = append(r.lines, pod.Name+": "+change)
	}
	r.known[pod.UID] = now
	if kind == watch.Deleted {
		r.lines = append(r.lines, pod.Name+": gone")
	}
}

// podStateOf returns the state of a pod with one container.
func podStateOf(pod *corev1.Pod) podState {
	s := podState{deleting: pod.DeletionTimestamp != nil, phase: pod.Status.Phase}
	holds := map[corev1.PodConditionType]bool{}
	for _, c := range pod.Status.Conditions {
		holds[c.Type] = c.Status == corev1.ConditionTrue
	}
	s.scheduled = holds[corev1.PodScheduled]
	containerReady := false
	for _, c := range pod.Status.ContainerStatuses {
		s.container, s.last, s.restarts = stateOf(c.State), stateOf(c.LastTerminationState), c.RestartCount
		s.started = c.Started != nil && *c.Started
		containerReady = c.Ready
	}
	s.ready = fmt.Sprint(holds[corev1.PodReady])
	if holds[corev1.ContainersReady] != holds[corev1.PodReady] || containerReady != holds[corev1.PodReady] {
		s.ready = fmt.Sprintf("%t, all containers %t, the container %t", holds[corev1.PodReady], holds[corev1.ContainersReady], containerReady)
	}
	return s
}

func stateOf(s corev1.ContainerState) string {
	switch {
	case s.Running != nil:
		return "running"
	case s.Waiting != nil:
		return "waits: " + s.Waiting.Reason
	case s.Terminated != nil:
		return fmt.Sprintf("ended: %s %d", s.Terminated.Reason, s.Terminated.ExitCode)
	}
	return ""
}

// changesSince returns the changes since before, in an order that does not depend on the number of writes.
func (s podState) changesSince(before podState) (changes []string) {
	add := func(changed bool, format string, args ...any) {
		if changed {
			changes = append(changes, fmt.Sprintf(format, args...))
		}
	}
	final := s.phase == corev1.PodSucceeded || s.phase == corev1.PodFailed
	add(s.scheduled != before.scheduled, "scheduled %t", s.scheduled)
	add(s.deleting != before.deleting, "deleting")
	add(s.phase != before.phase && !final, "phase %s", s.phase)
	add(s.container != before.container, "container %s", s.container)
	add(s.restarts != before.restarts, "restarts %d", s.restarts)
	add(s.last != before.last, "last %s", s.last)
	add(s.started != before.started, "started %t", s.started)
	add(s.ready != before.ready && (before.ready != "" || s.ready != "false"), "ready %s", s.ready)
	add(s.phase != before.phase && final, "phase %s", s.phase)
	return changes
}
