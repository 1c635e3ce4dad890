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

// sigkilled is the exit code of a process that was killed, by the kernel or by a test.
const sigkilled = 128 + 9

func (p *pod) status(now state, created metav1.Time) corev1.PodStatus {
	is := corev1.ConditionFalse
	if now.ready {
		is = corev1.ConditionTrue
	}
	container := p.spec.Spec.Containers[0]
	process := corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}}
	if now.running {
		process = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now.began}}
	}
	var last corev1.ContainerState
	if !now.ended.IsZero() {
		reason := "Error"
		if now.memory {
			reason = "OOMKilled"
		}
		last.Terminated = &corev1.ContainerStateTerminated{Reason: reason, ExitCode: sigkilled, FinishedAt: now.ended}
	}
	return corev1.PodStatus{
		Phase: corev1.PodRunning, StartTime: &created,
		PodIP: p.ip, PodIPs: []corev1.PodIP{{IP: p.ip}},
		Conditions: []corev1.PodCondition{
			{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: created},
			{Type: corev1.ContainersReady, Status: is, LastTransitionTime: now.since},
			{Type: corev1.PodReady, Status: is, LastTransitionTime: now.since},
		},
		ContainerStatuses: []corev1.ContainerStatus{{
			Name: container.Name, Image: container.Image, ImageID: container.Image, Ready: now.ready, Started: &now.ready, RestartCount: int32(now.restarts),
			State: process, LastTerminationState: last,
		}},
	}
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

// probe tells whether the process is ready, and when to ask again.
func (p *prober) probe(ctx context.Context) (ready bool, next time.Duration) {
	if !p.started {
		if p.ask(ctx, p.startup) != nil {
			return false, time.Duration(p.startup.PeriodSeconds) * time.Second
		}
		p.started = true
	}
	if p.ask(ctx, p.readiness) == nil {
		p.ready, p.failures = true, 0
	} else if p.failures++; p.failures >= p.readiness.FailureThreshold {
		p.ready = false
	}
	return p.ready, time.Duration(p.readiness.PeriodSeconds) * time.Second
}

func (p *prober) ask(ctx context.Context, probe *corev1.Probe) error {
	answer, err := p.replica.Get(ctx, p.replica.URL+probe.HTTPGet.Path)
	if err == nil && answer.Status != http.StatusOK {
		err = errors.New(answer.Body)
	}
	return err
}
