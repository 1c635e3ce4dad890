// Package kubelet runs the pods of a fleet as processes of a test, the way a kubelet runs containers: each with an
// address of its own from 127.0.0.0/8, its arguments and probes as the pod says, its state written to the API server,
// SIGTERM and the grace period when it is deleted, and another process when it dies.
//
// test/node compares the states that it writes with those of a real kubelet (TestProcessKubeletWritesWhatAKubeletWrites).
// What differs:
//   - Nothing is confined: no limits, no users, no filesystem of its own. Of volumes, ConfigMaps are mounted; of hooks,
//     preStop may sleep.
//   - Times are shorter: a death is noticed after Options.Notice, and the back-off is 0.5 s to 4 s instead of 10 s to 5
//     minutes. It is never forgotten; a kubelet forgets it once a container has run for ten minutes.
//   - A liveness or startup probe that fails restarts nothing. Probes use no TLS.
//   - Addresses are of the loopback network, which an EndpointSlice does not admit: no Service has these pods.
//   - Conditions have no reasons, and PodReadyToStartContainers is not among them.
package kubelet

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/statefleet/statefleet/test/fleet"
)

// Options say which pods are run, and how.
type Options struct {
	Client kubernetes.Interface

	// Namespace and Selector name the pods: only those that the label selector selects are run.
	Namespace, Selector string

	// Node is the name of the node to which pods are bound that do not say where they belong. It must exist.
	Node string

	// Flags are given to a pod's processes after its own arguments: how it reaches the API server. May be called
	// concurrently.
	Flags func(*corev1.Pod) []string

	// OwnPorts has the processes listen on ports that are free on this machine, instead of those that their pods name.
	OwnPorts bool

	// MayHang has processes killed that still run after their grace period. It is an error otherwise.
	MayHang bool

	// Notice is how long it takes until the death of a process is noticed. A kubelet looks every second.
	Notice time.Duration

	// Binary returns the path of the program that a pod runs; that of fleet.Build if it is nil. May be called
	// concurrently.
	Binary func(*corev1.Pod) (string, error)
}

// Kubelet runs pods. All methods may be called concurrently.
type Kubelet struct {
	o       Options
	t       testing.TB
	working sync.WaitGroup
	network int // the second byte of all addresses, so that two tests do not meet

	ctx  context.Context // ends with the test
	stop func()          // following the pods; belongs to the goroutine of the test

	limit atomic.Int64 // see Limit
	kills atomic.Int64 // see Kills

	mu    sync.Mutex
	pods  map[types.UID]*pod
	gone  map[types.UID]bool       // pods that have ended; later events of them start nothing
	held  map[string]chan struct{} // names of pods that are not started before the channel is closed
	count int                      // pods that were ever run
	ended []*pod
}

// Run runs pods until the end of the test.
func Run(t testing.TB, o Options) *Kubelet {
	t.Helper()
	if o.Binary == nil {
		o.Binary = func(*corev1.Pod) (string, error) { return fleet.Build() }
	}
	ctx, cancel := context.WithCancel(context.Background())
	k := &Kubelet{
		o: o, t: t, network: 16 + rand.IntN(200), ctx: ctx,
		pods: map[types.UID]*pod{}, gone: map[types.UID]bool{}, held: map[string]chan struct{}{},
	}
	k.follow(t)
	t.Cleanup(func() {
		cancel()
		k.stop()
		k.working.Wait()
		k.report()
	})
	return k
}

// follow follows the pods until stop is called, and returns the UIDs of those that there are.
func (k *Kubelet) follow(t testing.TB) (listed map[types.UID]bool) {
	t.Helper()
	ctx, cancel := context.WithCancel(k.ctx)
	factory := informers.NewSharedInformerFactoryWithOptions(k.o.Client, 0, informers.WithNamespace(k.o.Namespace),
		informers.WithTweakListOptions(func(list *metav1.ListOptions) { list.LabelSelector = k.o.Selector }))
	informer := factory.Core().V1().Pods().Informer()
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { k.see(k.ctx, object) },
		UpdateFunc: func(_, object any) { k.see(k.ctx, object) },
		DeleteFunc: k.forget,
	})
	if err != nil {
		t.Fatal(err)
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	k.stop = sync.OnceFunc(func() {
		cancel()
		factory.Shutdown()
	})
	listed = map[types.UID]bool{}
	for _, object := range informer.GetStore().List() {
		if p, ok := object.(*corev1.Pod); ok {
			listed[p.UID] = true
		}
	}
	return listed
}

// orphansHave is the grace period that a kubelet which was restarted gives to containers of pods that the API server
// does not have.
const orphansHave = time.Second

// Restart does what the restart of a kubelet does: the pods are listed again, their states are written again, and
// processes whose pods are not there any more are ended. All others go on running. A cluster that was restored from a
// backup needs it.
func (k *Kubelet) Restart(t testing.TB) {
	t.Helper()
	k.stop()
	k.mu.Lock()
	before := maps.Clone(k.pods)
	k.gone = map[types.UID]bool{}
	k.mu.Unlock()
	listed := k.follow(t)
	for uid, p := range before {
		if listed[uid] {
			p.unwritten.Store(true)
		} else {
			p.orphan.Store(true)
			p.end(orphansHave)
		}
	}
}

// Hold keeps pods of a name that do not run yet from being started, as if there were no room for them, until Release.
func (k *Kubelet) Hold(pod string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.held[pod] == nil {
		k.held[pod] = make(chan struct{})
	}
}

// Release starts pods that Hold holds.
func (k *Kubelet) Release(pod string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if released := k.held[pod]; released != nil {
		close(released)
		delete(k.held, pod)
	}
}

// Limit has all processes that hold more than so many objects killed, as a limit of memory would, until it is called
// with 0.
func (k *Kubelet) Limit(objects int) { k.limit.Store(int64(objects)) }

// see starts a pod that is new, and tells one that runs that it is to end.
func (k *Kubelet) see(ctx context.Context, object any) {
	seen, ok := object.(*corev1.Pod)
	if !ok || ctx.Err() != nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	p, leaving := k.pods[seen.UID], seen.DeletionTimestamp != nil
	switch {
	case p == nil && k.gone[seen.UID]:
		return // the last event of it
	case p == nil && leaving: // it never ran
		k.gone[seen.UID] = true
		p = k.newPod(seen)
		k.working.Go(func() { p.remove(ctx) })
		return
	case p == nil:
		p = k.newPod(seen)
		k.pods[seen.UID] = p
		k.working.Go(func() {
			p.run(ctx)
			k.mu.Lock()
			defer k.mu.Unlock()
			delete(k.pods, seen.UID)
			k.gone[seen.UID] = true
			k.ended = append(k.ended, p)
		})
	}
	if leaving {
		p.end(time.Duration(*seen.DeletionGracePeriodSeconds) * time.Second)
	}
}

// forget kills the process of a pod that was deleted by force.
func (k *Kubelet) forget(object any) {
	if last, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = last.Obj
	}
	gone, ok := object.(*corev1.Pod)
	if !ok {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if p := k.pods[gone.UID]; p != nil {
		p.end(0)
	}
}

func (k *Kubelet) newPod(seen *corev1.Pod) *pod {
	k.count++
	p := &pod{
		k:    k,
		spec: seen.DeepCopy(),
		ip:   fmt.Sprintf("127.%d.%d.%d", k.network, k.count/250, k.count%250+1),
		told: make(chan time.Duration, 1),
	}
	p.held = k.held[seen.Name]
	if k.o.OwnPorts {
		if err := OwnPorts(&p.spec.Spec); err != nil {
			k.t.Errorf("%s: %v", seen.Name, err)
		}
	}
	return p
}
