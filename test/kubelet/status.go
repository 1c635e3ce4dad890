package kubelet

import (
	"context"
	"errors"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/test/fleet"
)

// writeStatus writes the pod's status to the API server if it differs from the last one. It does not retry: if the
// write fails, the next call writes the status.
func (p *pod) writeStatus(ctx context.Context, now state) {
	if p.forceWrite.Swap(false) {
		p.written = false
	}
	if now.readyChanged = p.writtenState.readyChanged; !p.written || now.ready != p.writtenState.ready {
		now.readyChanged = metav1.Now()
	}
	if p.written && now == p.writtenState {
		return
	}
	pods := p.k.o.Client.CoreV1().Pods(p.spec.Namespace)
	known, err := pods.Get(ctx, p.spec.Name, metav1.GetOptions{})
	if err != nil || known.UID != p.spec.UID {
		return
	}
	known.Status = p.status(now, known.CreationTimestamp)
	if _, err := pods.UpdateStatus(ctx, known, metav1.UpdateOptions{}); err == nil {
		p.written, p.writtenState = true, now
	}
}

func (p *pod) status(now state, created metav1.Time) corev1.PodStatus {
	container := p.spec.Spec.Containers[0]
	current, last := now.container()
	return corev1.PodStatus{
		Phase: now.phase(), StartTime: &created,
		PodIP: p.ip, PodIPs: []corev1.PodIP{{IP: p.ip}},
		Conditions: []corev1.PodCondition{
			{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: created},
			{Type: corev1.PodInitialized, Status: corev1.ConditionTrue, LastTransitionTime: created},
			{Type: corev1.ContainersReady, Status: condition(now.ready), LastTransitionTime: now.readyChanged},
			{Type: corev1.PodReady, Status: condition(now.ready), LastTransitionTime: now.readyChanged},
		},
		ContainerStatuses: []corev1.ContainerStatus{{
			Name: container.Name, Image: container.Image, ImageID: container.Image, Ready: now.ready, Started: &now.started,
			RestartCount: int32(now.restarts), State: current, LastTerminationState: last,
		}},
	}
}

func condition(holds bool) corev1.ConditionStatus {
	if holds {
		return corev1.ConditionTrue
	}
	return corev1.ConditionFalse
}

func (s state) phase() corev1.PodPhase {
	switch {
	case s.startedAt.IsZero():
		return corev1.PodPending
	case !s.final:
		return corev1.PodRunning
	case s.ended.exitCode == 0:
		return corev1.PodSucceeded
	}
	return corev1.PodFailed
}

// container returns the current state of the container, and its last termination state.
func (s state) container() (current, last corev1.ContainerState) {
	waiting := func(reason string) corev1.ContainerState {
		return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}}
	}
	switch {
	case s.running:
		return corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: s.startedAt}}, s.last.container()
	case s.backOff:
		return waiting("CrashLoopBackOff"), s.ended.container()
	case s.ended.at.IsZero():
		return waiting("ContainerCreating"), s.last.container()
	}
	return s.ended.container(), s.last.container()
}

func (t termination) container() corev1.ContainerState {
	if t.at.IsZero() {
		return corev1.ContainerState{}
	}
	reason := "Error"
	switch {
	case t.oomKilled:
		reason = "OOMKilled"
	case t.exitCode == 0:
		reason = "Completed"
	}
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: reason, ExitCode: int32(t.exitCode), FinishedAt: t.at}}
}

// retry calls try until it succeeds, returns NotFound or Conflict, or ctx ends.
func (p *pod) retry(ctx context.Context, try func() error) {
	for ctx.Err() == nil {
		if err := try(); err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
			return
		}
		time.Sleep(fleet.Tick)
	}
}

// prober runs a pod's startup probe until it succeeds, and its readiness probe after that.
type prober struct {
	replica            *fleet.Replica
	startup, readiness *corev1.Probe
	started, ready     bool
	failures           int32
}

func (p *pod) newProber(replica *fleet.Replica) *prober {
	container := p.spec.Spec.Containers[0]
	return &prober{replica: replica, startup: container.StartupProbe, readiness: container.ReadinessProbe, started: container.StartupProbe == nil}
}

// probe returns whether the process has started, whether it is ready, and how long to wait before the next probe.
func (p *prober) probe(ctx context.Context) (started, ready bool, next time.Duration) {
	if !p.started {
		if p.request(ctx, p.startup) != nil {
			return false, false, time.Duration(p.startup.PeriodSeconds) * time.Second
		}
		p.started = true
	}
	if p.request(ctx, p.readiness) == nil {
		p.ready, p.failures = true, 0
	} else if p.failures++; p.failures >= p.readiness.FailureThreshold {
		p.ready = false
	}
	return true, p.ready, time.Duration(p.readiness.PeriodSeconds) * time.Second
}

func (p *prober) request(ctx context.Context, probe *corev1.Probe) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(probe.TimeoutSeconds)*time.Second)
	defer cancel()
	answer, err := p.replica.Get(ctx, p.replica.URL+probe.HTTPGet.Path)
	if err == nil && answer.Status != http.StatusOK {
		err = errors.New(answer.Body)
	}
	return err
}
