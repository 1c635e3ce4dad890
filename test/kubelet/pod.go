package kubelet

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/benchmarks/selfmetrics"
	"github.com/statefleet/statefleet/test/fleet"
)

// pod is a pod that this kubelet runs. Its run method owns the process.
type pod struct {
	k    *Kubelet
	spec *corev1.Pod
	ip   string

	stopRequest chan time.Duration // receives the grace period, at most once
	stopOnce    sync.Once          // guards sending to stopRequest

	released   <-chan struct{} // closed when the pod may start; nil if it is not held
	forceWrite atomic.Bool     // the status must be written even if it has not changed
	orphan     atomic.Bool     // the pod no longer exists in the API server

	mu        sync.Mutex
	processes []*fleet.Replica

	// The state that was last written to the API server, and whether any was. Only the goroutine in run uses them.
	writtenState state
	written      bool
}

// state is the part of a pod that changes.
type state struct {
	running        bool
	startedAt      metav1.Time // start of the latest process; zero before the first one
	restarts       int
	started, ready bool        // according to the probes
	readyChanged   metav1.Time // when ready changed last
	ended          termination // of the latest process; zero while it runs
	last           termination // of the process before; zero if there was none
	backOff        bool        // the next process is delayed
	final          bool        // no further process will be started
}

// termination is how a process ended.
type termination struct {
	at        metav1.Time
	exitCode  int
	oomKilled bool
}

// requestStop requests that the pod stops within grace. Only the first call has an effect.
func (p *pod) requestStop(grace time.Duration) { p.stopOnce.Do(func() { p.stopRequest <- grace }) }

// started returns the processes that were started. The last one is the current one.
func (p *pod) started() []*fleet.Replica {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.processes)
}

// admit waits until the pod may start. It returns false if the pod or the test ends before that.
func (p *pod) admit(ctx context.Context) bool {
	if p.released == nil {
		return true
	}
	select {
	case <-p.released:
		return true
	case <-p.stopRequest:
		p.remove(ctx)
		return false
	case <-ctx.Done():
		return false
	}
}

// run runs the pod's process, and restarts it when it dies, until the pod is deleted or ctx ends.
func (p *pod) run(ctx context.Context) {
	if !p.admit(ctx) {
		return
	}
	p.bind(ctx)
	now := state{}
	p.writeStatus(ctx, now)
	for ; ; now.restarts++ {
		replica, err := p.start(ctx)
		if err != nil {
			p.k.t.Errorf("%s: %v", p.spec.Name, err)
			return
		}
		now.running, now.startedAt, now.last, now.ended = true, metav1.Now(), now.ended, termination{}
		grace, why := p.watch(ctx, replica, now)
		switch why {
		case exited, overLimit:
			if why == overLimit {
				p.k.kills.Add(1)
				replica.Kill()
			}
			now.running, now.ended = false, termination{at: metav1.Now(), exitCode: replica.ExitCode(), oomKilled: why == overLimit}
			if !p.waitToRestart(ctx, now) {
				return
			}
		case deleted:
			p.stop(ctx, replica, grace, now)
			return
		case testEnded:
			replica.Kill()
			return
		}
	}
}

// start starts the process of the pod's first container. Unlike containers, processes share one network namespace, so
// it adds the pod's address to the arguments.
func (p *pod) start(ctx context.Context) (*fleet.Replica, error) {
	mounts, err := p.writeConfigMaps(ctx)
	if err != nil {
		return nil, err
	}
	flags := append(p.args(mounts), "--host="+p.ip, "--telemetry-host="+p.ip)
	flags = append(flags, p.k.o.Flags(p.spec)...)
	binary, err := p.k.o.Binary(p.spec)
	if err != nil {
		return nil, err
	}
	replica, err := fleet.Launch(binary, p.url("http-metrics"), p.url("telemetry"), flags)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.processes = append(p.processes, replica)
	return replica, nil
}

func (p *pod) url(port string) string {
	for _, declared := range p.spec.Spec.Containers[0].Ports {
		if declared.Name == port {
			return "http://" + net.JoinHostPort(p.ip, strconv.Itoa(int(declared.ContainerPort)))
		}
	}
	return fmt.Sprintf("http://%s/no-port-called-%s", p.ip, port)
}

// args returns the container's arguments. It replaces $(NAME) by the value of the environment variable NAME, and makes
// the replacements in pairs, which has the form of the arguments of strings.NewReplacer.
func (p *pod) args(pairs []string) []string {
	container := p.spec.Spec.Containers[0]
	for _, variable := range container.Env {
		value := variable.Value
		if from := variable.ValueFrom; from != nil && from.FieldRef != nil {
			value = map[string]string{
				"metadata.name": p.spec.Name, "metadata.namespace": p.spec.Namespace, "spec.nodeName": p.spec.Spec.NodeName,
			}[from.FieldRef.FieldPath]
		}
		pairs = append(pairs, "$("+variable.Name+")", value)
	}
	expand := strings.NewReplacer(pairs...)
	var args []string
	for _, arg := range container.Args {
		args = append(args, expand.Replace(arg))
	}
	return args
}

// reason is why watch has returned.
type reason int

const (
	exited    reason = iota // the process has ended by itself, or a test has killed it
	deleted                 // the pod must stop
	testEnded               // the context has ended
	overLimit               // the process holds more objects than Limit allows
)

// limitCheckInterval is how often the number of objects that a process holds is compared with the limit.
const limitCheckInterval = 25 * time.Millisecond

// watch probes the process and writes its status until one of the reasons applies. It returns the grace period if the
// reason is deleted.
func (p *pod) watch(ctx context.Context, replica *fleet.Replica, now state) (time.Duration, reason) {
	probes := p.newProber(replica)
	timer := time.NewTimer(0)
	defer timer.Stop()
	limitCheck := time.NewTicker(limitCheckInterval)
	defer limitCheck.Stop()
	for {
		select {
		case <-limitCheck.C:
			if p.exceedsLimit(ctx, replica) {
				return 0, overLimit
			}
		case <-ctx.Done():
			return 0, testEnded
		case grace := <-p.stopRequest:
			return grace, deleted
		case <-replica.Done():
			return 0, exited
		case <-timer.C:
			var next time.Duration
			now.started, now.ready, next = probes.probe(ctx)
			p.writeStatus(ctx, now)
			timer.Reset(next)
		}
	}
}

// exceedsLimit reports whether the process holds more objects than the limit, according to its self-metrics. It returns
// false if there is no limit.
func (p *pod) exceedsLimit(ctx context.Context, replica *fleet.Replica) bool {
	limit := p.k.limit.Load()
	if limit == 0 {
		return false
	}
	self, err := replica.SelfMetrics(ctx)
	if err != nil { // the process may not serve yet
		return false
	}
	return int64(selfmetrics.Held(self)) > limit
}

// stop runs the preStop hook, sends SIGTERM, kills the process if it outlives grace, and then removes the pod. With a
// grace of 0 it kills the process at once.
func (p *pod) stop(ctx context.Context, replica *fleet.Replica, grace time.Duration, now state) {
	if grace > 0 && !p.orphan.Load() {
		grace = max(grace-p.preStop(ctx, replica, grace), minGrace)
	}
	if grace == 0 {
		replica.Kill()
	} else if err := replica.Stop(grace); err != nil && replica.Log() != "" && !p.orphan.Load() && !p.k.o.MayHang {
		// A process that has logged nothing is exempt: it has no signal handler yet, so SIGTERM ends it.
		p.k.t.Errorf("%s: %v", p.spec.Name, err)
	}
	now.running, now.final, now.ended = false, true, termination{at: metav1.Now(), exitCode: replica.ExitCode()}
	p.writeStatus(ctx, now)
	p.remove(ctx)
}

// minGrace is the least time that a process has to end after SIGTERM, however long its preStop hook took.
const minGrace = 2 * time.Second

// preStop runs the container's preStop hook, if that is a sleep action, for at most limit. It returns how long it took.
func (p *pod) preStop(ctx context.Context, replica *fleet.Replica, limit time.Duration) time.Duration {
	lifecycle := p.spec.Spec.Containers[0].Lifecycle
	if lifecycle == nil || lifecycle.PreStop == nil || lifecycle.PreStop.Sleep == nil {
		return 0
	}
	began := time.Now()
	select {
	case <-time.After(min(limit, time.Duration(lifecycle.PreStop.Sleep.Seconds)*time.Second)):
	case <-replica.Done():
	case <-ctx.Done():
	}
	return time.Since(began)
}

// remove deletes the pod from the API server, without a grace period.
func (p *pod) remove(ctx context.Context) {
	now := int64(0)
	options := metav1.DeleteOptions{GracePeriodSeconds: &now, Preconditions: &metav1.Preconditions{UID: &p.spec.UID}}
	p.retry(ctx, func() error { return p.k.o.Client.CoreV1().Pods(p.spec.Namespace).Delete(ctx, p.spec.Name, options) })
}
