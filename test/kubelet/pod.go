package kubelet

import (
	"context"
	"fmt"
	"net"
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

// pod is one that this kubelet runs. Its run method owns the process.
type pod struct {
	k    *Kubelet
	spec *corev1.Pod
	ip   string
	told chan time.Duration // to end, within this time; sent once

	once sync.Once // of telling

	held      <-chan struct{} // closed when the pod may be started; nil if it may be at once
	unwritten atomic.Bool     // its state must be written, even if it has not changed
	orphan    atomic.Bool     // the API server does not have it any more

	mu        sync.Mutex
	processes []*fleet.Replica // the last one is the present one

	// What was written to the API server last, and whether anything was. They belong to run.
	state   state
	written bool
}

// state is what of a pod changes.
type state struct {
	running        bool
	began          metav1.Time // the present process; zero: there was none yet
	restarts       int
	started, ready bool        // by its probes
	since          metav1.Time // ready, or not
	ended          termination // of the present process; zero: it has not
	last           termination // of the process before; zero: there was none
	backOff        bool        // the next process has to wait
	over           bool        // there will not be another one
}

// termination is how a process ended.
type termination struct {
	at     metav1.Time
	code   int
	memory bool // it was killed for lack of memory
}

// end tells the pod to end within grace. Only the first time counts.
func (p *pod) end(grace time.Duration) { p.once.Do(func() { p.told <- grace }) }

func (p *pod) current() *fleet.Replica {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.processes) == 0 {
		return nil
	}
	return p.processes[len(p.processes)-1]
}

// started is the number of processes that were started.
func (p *pod) started() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.processes)
}

// admit waits until the pod may be started. It returns false if it never will be.
func (p *pod) admit(ctx context.Context) bool {
	if p.held == nil {
		return true
	}
	select {
	case <-p.held:
		return true
	case <-p.told:
		p.remove(ctx)
		return false
	case <-ctx.Done():
		return false
	}
}

// run runs the pod's process, and another one when it dies, until the pod is deleted or ctx ends.
func (p *pod) run(ctx context.Context) {
	if !p.admit(ctx) {
		return
	}
	p.bind(ctx)
	now := state{}
	p.tell(ctx, now)
	for ; ; now.restarts++ {
		replica, err := p.start(ctx)
		if err != nil {
			p.k.t.Errorf("%s: %v", p.spec.Name, err)
			return
		}
		now.running, now.began, now.last, now.ended = true, metav1.Now(), now.ended, termination{}
		grace, why := p.watch(ctx, replica, now)
		switch why {
		case died, killed:
			if why == killed {
				p.k.kills.Add(1)
				replica.Kill()
			}
			now.running, now.ended = false, termination{at: metav1.Now(), code: replica.ExitCode(), memory: why == killed}
			if !p.pause(ctx, now) {
				return
			}
		case deleted:
			p.stop(ctx, replica, grace, now)
			return
		case over:
			replica.Kill()
			return
		}
	}
}

// start starts the process of the pod's first container. Its flags are the container's arguments, and the addresses
// that a container would have to itself.
func (p *pod) start(ctx context.Context) (*fleet.Replica, error) {
	mounts, err := p.mounts(ctx)
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

// args are the container's arguments with $(NAME) replaced by what the environment has under that name, and what is
// said in pairs.
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

// reason is why a process is not watched any more.
type reason int

const (
	died    reason = iota // it has ended by itself, or was killed
	deleted               // its pod is to end
	over                  // so is the test
	killed                // it held too much
)

// lookAtMemory is how often it is asked how many objects a process holds while that is limited.
const lookAtMemory = 25 * time.Millisecond

// watch probes the process and writes down whether it is ready, until there is a reason to stop.
func (p *pod) watch(ctx context.Context, replica *fleet.Replica, now state) (time.Duration, reason) {
	probes := p.newProber(replica)
	timer := time.NewTimer(0)
	defer timer.Stop()
	memory := time.NewTicker(lookAtMemory)
	defer memory.Stop()
	for {
		select {
		case <-memory.C:
			if p.holdsTooMuch(ctx, replica) {
				return 0, killed
			}
		case <-ctx.Done():
			return 0, over
		case grace := <-p.told:
			return grace, deleted
		case <-replica.Done():
			return 0, died
		case <-timer.C:
			var next time.Duration
			now.started, now.ready, next = probes.probe(ctx)
			p.tell(ctx, now)
			timer.Reset(next)
		}
	}
}

// holdsTooMuch compares what a process says that it holds with the limit, if there is one.
func (p *pod) holdsTooMuch(ctx context.Context, replica *fleet.Replica) bool {
	limit := p.k.limit.Load()
	if limit == 0 {
		return false
	}
	self, err := replica.SelfMetrics(ctx)
	if err != nil { // it has hardly begun
		return false
	}
	return int64(selfmetrics.Held(self)) > limit
}

// stop sends SIGTERM, and deletes the pod for good when the process has ended.
func (p *pod) stop(ctx context.Context, replica *fleet.Replica, grace time.Duration, now state) {
	if grace > 0 && !p.orphan.Load() {
		grace = max(grace-p.preStop(ctx, replica, grace), leastGrace)
	}
	if grace == 0 {
		replica.Kill()
	} else if err := replica.Stop(grace); err != nil && replica.Log() != "" && !p.orphan.Load() && !p.k.o.MayHang {
		p.k.t.Errorf("%s: %v", p.spec.Name, err) // but for one that has hardly begun, which the signal ends
	}
	now.running, now.over, now.ended = false, true, termination{at: metav1.Now(), code: replica.ExitCode()}
	p.tell(ctx, now)
	p.remove(ctx)
}

// leastGrace is what a process has to end in, however long it took before it got the signal.
const leastGrace = 2 * time.Second

// preStop does what the container wants before the signal, if that is to sleep, and returns how long it took.
func (p *pod) preStop(ctx context.Context, replica *fleet.Replica, most time.Duration) time.Duration {
	lifecycle := p.spec.Spec.Containers[0].Lifecycle
	if lifecycle == nil || lifecycle.PreStop == nil || lifecycle.PreStop.Sleep == nil {
		return 0
	}
	began := time.Now()
	select {
	case <-time.After(min(most, time.Duration(lifecycle.PreStop.Sleep.Seconds)*time.Second)):
	case <-replica.Done():
	case <-ctx.Done():
	}
	return time.Since(began)
}

// remove deletes the pod for good.
func (p *pod) remove(ctx context.Context) {
	now := int64(0)
	options := metav1.DeleteOptions{GracePeriodSeconds: &now, Preconditions: &metav1.Preconditions{UID: &p.spec.UID}}
	p.retry(ctx, func() error { return p.k.o.Client.CoreV1().Pods(p.spec.Namespace).Delete(ctx, p.spec.Name, options) })
}
