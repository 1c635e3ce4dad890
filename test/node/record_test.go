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

// record is what happens to the pods of a namespace, as their states tell: one line for each change, without times.
// Whether two changes come in one write or in two makes no difference.
type record struct {
	mu    sync.Mutex
	lines []string
	known map[types.UID]facts
	watch watch.Interface
	ended sync.WaitGroup
}

// facts are what of a pod is compared.
type facts struct {
	scheduled, deleting bool
	phase               corev1.PodPhase
	container, last     string
	restarts            int32
	started             bool
	ready               string
}

// follow records what happens from now on, until stop is called.
func follow(t *testing.T, client kubernetes.Interface) *record {
	t.Helper()
	pods := client.CoreV1().Pods(namespace)
	list, err := pods.List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r := &record{known: map[types.UID]facts{}}
	for i := range list.Items {
		r.known[list.Items[i].UID] = factsOf(&list.Items[i])
	}
	if r.watch, err = pods.Watch(context.WithoutCancel(t.Context()), metav1.ListOptions{ResourceVersion: list.ResourceVersion}); err != nil {
		t.Fatal(err)
	}
	r.ended.Go(func() {
		for event := range r.watch.ResultChan() {
			if pod, ok := event.Object.(*corev1.Pod); ok {
				r.see(event.Type, pod)
			}
		}
	})
	return r
}

// stop returns the lines.
func (r *record) stop() []string {
	time.Sleep(time.Second) // what follows at once belongs to it
	r.watch.Stop()
	r.ended.Wait()
	return r.lines
}

func (r *record) see(kind watch.EventType, pod *corev1.Pod) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before, known := r.known[pod.UID]
	now := factsOf(pod)
	if !known {
		r.lines = append(r.lines, pod.Name+": created")
	}
	for _, change := range now.since(before) {
		r.lines = append(r.lines, pod.Name+": "+change)
	}
	r.known[pod.UID] = now
	if kind == watch.Deleted {
		r.lines = append(r.lines, pod.Name+": gone")
	}
}

// factsOf reads the state of a pod with one container.
func factsOf(pod *corev1.Pod) facts {
	f := facts{deleting: pod.DeletionTimestamp != nil, phase: pod.Status.Phase}
	is := map[corev1.PodConditionType]bool{}
	for _, c := range pod.Status.Conditions {
		is[c.Type] = c.Status == corev1.ConditionTrue
	}
	f.scheduled = is[corev1.PodScheduled]
	containerReady := false
	for _, c := range pod.Status.ContainerStatuses {
		f.container, f.last, f.restarts = stateOf(c.State), stateOf(c.LastTerminationState), c.RestartCount
		f.started = c.Started != nil && *c.Started
		containerReady = c.Ready
	}
	f.ready = fmt.Sprint(is[corev1.PodReady])
	if is[corev1.ContainersReady] != is[corev1.PodReady] || containerReady != is[corev1.PodReady] {
		f.ready = fmt.Sprintf("%t, all containers %t, the container %t", is[corev1.PodReady], is[corev1.ContainersReady], containerReady)
	}
	return f
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

// since are the changes since before, in an order that does not depend on how many writes they took.
func (f facts) since(before facts) (changes []string) {
	add := func(changed bool, format string, args ...any) {
		if changed {
			changes = append(changes, fmt.Sprintf(format, args...))
		}
	}
	final := f.phase == corev1.PodSucceeded || f.phase == corev1.PodFailed
	add(f.scheduled != before.scheduled, "scheduled %t", f.scheduled)
	add(f.deleting != before.deleting, "deleting")
	add(f.phase != before.phase && !final, "phase %s", f.phase)
	add(f.container != before.container, "container %s", f.container)
	add(f.restarts != before.restarts, "restarts %d", f.restarts)
	add(f.last != before.last, "last %s", f.last)
	add(f.started != before.started, "started %t", f.started)
	add(f.ready != before.ready && (before.ready != "" || f.ready != "false"), "ready %s", f.ready)
	add(f.phase != before.phase && final, "phase %s", f.phase)
	return changes
}
