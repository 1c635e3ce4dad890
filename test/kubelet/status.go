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

// tell writes the pod's status if it is not so already. What does not arrive is written the next time.
func (p *pod) tell(ctx context.Context, now state) {
	if p.unwritten.Swap(false) {
		p.written = false
	}
	if now.since = p.state.since; !p.written || now.ready != p.state.ready {
		now.since = metav1.Now()
	}
	if p.written && now == p.state {
		return
	}
	pods := p.k.o.Client.CoreV1().Pods(p.spec.Namespace)
	known, err := pods.Get(ctx, p.spec.Name, metav1.GetOptions{})
	if err != nil || known.UID != p.spec.UID {
		return
	}
	known.Status = p.status(now, known.CreationTimestamp)
	if _, err := pods.UpdateStatus(ctx, known, metav1.UpdateOptions{}); err == nil {
		p.written, p.state = true, now
	}
}

func (p *pod) status(now state, created metav1.Time) corev1.PodStatus {
	container := p.spec.Spec.Containers[0]
	present, last := now.container()
	return corev1.PodStatus{
		Phase: now.phase(), StartTime: &created,
		PodIP: p.ip, PodIPs: []corev1.PodIP{{IP: p.ip}},
		Conditions: []corev1.PodCondition{
			{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: created},
			{Type: corev1.PodInitialized, Status: corev1.ConditionTrue, LastTransitionTime: created},
			{Type: corev1.ContainersReady, Status: condition(now.ready), LastTransitionTime: now.since},
			{Type: corev1.PodReady, Status: condition(now.ready), LastTransitionTime: now.since},
		},
		ContainerStatuses: []corev1.ContainerStatus{{
			Name: container.Name, Image: container.Image, ImageID: container.Image, Ready: now.ready, Started: &now.started,
			RestartCount: int32(now.restarts), State: present, LastTerminationState: last,
		}},
	}
}

func condition(is bool) corev1.ConditionStatus {
	if is {
		return corev1.ConditionTrue
	}
	return corev1.ConditionFalse
}

func (s state) phase() corev1.PodPhase {
	switch {
	case s.began.IsZero():
		return corev1.PodPending
	case !s.over:
		return corev1.PodRunning
	case s.ended.code == 0:
		return corev1.PodSucceeded
	}
	return corev1.PodFailed
}

// container is the state of the container, and how it ended the last time.
func (s state) container() (present, last corev1.ContainerState) {
	waiting := func(reason string) corev1.ContainerState {
		return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}}
	}
	switch {
	case s.running:
		return corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: s.began}}, s.last.container()
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
	case t.memory:
		reason = "OOMKilled"
	case t.code == 0:
		reason = "Completed"
	}
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: reason, ExitCode: int32(t.code), FinishedAt: t.at}}
}

// retry tries until it works, the pod is not there any more, or ctx ends.
func (p *pod) retry(ctx context.Context, try func() error) {
	for ctx.Err() == nil {
		if err := try(); err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
			return
		}
		time.Sleep(fleet.Tick)
	}
}

// prober asks a process what its pod's probes ask: first whether it has started, then whether it is ready.
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

// probe tells whether the process has started, whether it is ready, and when to ask again.
func (p *prober) probe(ctx context.Context) (started, ready bool, next time.Duration) {
	if !p.started {
		if p.ask(ctx, p.startup) != nil {
			return false, false, time.Duration(p.startup.PeriodSeconds) * time.Second
		}
		p.started = true
	}
	if p.ask(ctx, p.readiness) == nil {
		p.ready, p.failures = true, 0
	} else if p.failures++; p.failures >= p.readiness.FailureThreshold {
		p.ready = false
	}
	return true, p.ready, time.Duration(p.readiness.PeriodSeconds) * time.Second
}

func (p *prober) ask(ctx context.Context, probe *corev1.Probe) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(probe.TimeoutSeconds)*time.Second)
	defer cancel()
	answer, err := p.replica.Get(ctx, p.replica.URL+probe.HTTPGet.Path)
	if err == nil && answer.Status != http.StatusOK {
		err = errors.New(answer.Body)
	}
	return err
}
