// Package kubelet runs the pods of a fleet as processes of a test, the way a kubelet runs containers. Each pod has its
// own address in 127.0.0.0/8, and its process has the pod's arguments and probes. The package writes each pod's status
// to the API server, sends SIGTERM and honours the grace period when a pod is deleted, and restarts a process that
// dies.
//
// test/node compares the statuses that it writes with those of a real kubelet
// (TestProcessKubeletWritesWhatAKubeletWrites). Differences:
//   - Processes are not confined: they have no limits, users or filesystems of their own. Only ConfigMap volumes are
//     mounted, and the only hook is preStop with a sleep action.
//   - Times are shorter: the death of a process is noticed after Options.Notice, and the back-off is 0.5 s to 4 s
//     instead of 10 s to 5 minutes. The back-off is never reset; a kubelet resets it once a container has run for ten
//     minutes.
//   - A liveness or startup probe that fails restarts nothing. Probes use no TLS.
//   - Addresses belong to the loopback network, which an EndpointSlice rejects, so no Service selects these pods.
//   - Conditions have no reasons, and PodReadyToStartContainers is missing.
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

// Options configure a Kubelet.
type Options struct {
	Client kubernetes.Interface

	// Namespace and Selector, a label selector, select the pods to run.
	Namespace, Selector string

	// Node is the name of an existing node. Pods whose node affinity names no node are bound to it.
	Node string

	// Flags returns the flags that follow a pod's own arguments, such as those for the connection to the API server. It
	// must be safe for concurrent use.
	Flags func(*corev1.Pod) []string

	// OwnPorts makes each process listen on ports that are free on this machine, instead of its pod's container ports.
	OwnPorts bool

	// MayHang permits processes that outlive their grace period, and are then killed, or that exit with an error.
	// Otherwise they fail the test.
	MayHang bool

	// Notice is the delay until the death of a process is noticed. A kubelet polls every second.
	Notice time.Duration

	// Binary returns the path of the program that a pod runs. If it is nil, pods run the program of fleet.Build. It must
	// be safe for concurrent use.
	Binary func(*corev1.Pod) (string, error)
}

// Kubelet runs pods. All methods except Restart may be called concurrently.
type Kubelet struct {
	o       Options
	t       testing.TB
	working sync.WaitGroup
	network int // second byte of all addresses; random, so that two tests rarely use the same addresses

	ctx       context.Context // ends with the test
	stopWatch func()          // stops the watch of the pods; used only by the goroutine of the test

	limit atomic.Int64 // see Limit
	kills atomic.Int64 // see Kills

	mu    sync.Mutex
	pods  map[types.UID]*pod
	gone  map[types.UID]bool       // pods that have ended; their later events are ignored
	held  map[string]chan struct{} // by pod name; a held pod starts when its channel is closed
	count int                      // pods seen so far; their addresses follow from it
	ended []*pod
}

// Run runs the pods that o selects until the end of the test. The test fails if a pod cannot be run.
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
	k.watchPods(t)
	t.Cleanup(func() {
		cancel()
		k.stopWatch()
		k.working.Wait()
		k.report()
	})
	return k
}

// watchPods watches the pods until stopWatch is called, and returns the UIDs of the pods that exist now.
func (k *Kubelet) watchPods(t testing.TB) (listed map[types.UID]bool) {
	t.Helper()
	ctx, cancel := context.WithCancel(k.ctx)
	factory := informers.NewSharedInformerFactoryWithOptions(k.o.Client, 0, informers.WithNamespace(k.o.Namespace),
		informers.WithTweakListOptions(func(list *metav1.ListOptions) { list.LabelSelector = k.o.Selector }))
	informer := factory.Core().V1().Pods().Informer()
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { k.onPod(k.ctx, object) },
		UpdateFunc: func(_, object any) { k.onPod(k.ctx, object) },
		DeleteFunc: k.onPodDeleted,
	})
	if err != nil {
		t.Fatal(err)
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	k.stopWatch = sync.OnceFunc(func() {
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

// orphanGrace is the grace period that a restarted kubelet gives to containers whose pods no longer exist in the API
// server.
const orphanGrace = time.Second

// Restart acts like the restart of a kubelet: it lists the pods again, writes their statuses again, and ends processes
// whose pods no longer exist. All other processes continue. A cluster that was restored from a backup needs it. Only
// the goroutine of the test may call it.
func (k *Kubelet) Restart(t testing.TB) {
	t.Helper()
	k.stopWatch()
	k.mu.Lock()
	before := maps.Clone(k.pods)
	k.gone = map[types.UID]bool{}
	k.mu.Unlock()
	listed := k.watchPods(t)
	for uid, p := range before {
		if listed[uid] {
			p.forceWrite.Store(true)
		} else {
			p.orphan.Store(true)
			p.requestStop(orphanGrace)
		}
	}
}

// Hold prevents new pods with a name from starting until Release, as if no node had room for them. A pod that runs
// already continues.
func (k *Kubelet) Hold(pod string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.held[pod] == nil {
		k.held[pod] = make(chan struct{})
	}
}

// Release ends the effect of Hold, and starts the pods that waited.
func (k *Kubelet) Release(pod string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if released := k.held[pod]; released != nil {
		close(released)
		delete(k.held, pod)
	}
}

// Limit kills every process that holds more than the given number of objects, as a memory limit would. 0 removes the
// limit.
func (k *Kubelet) Limit(objects int) { k.limit.Store(int64(objects)) }

// onPod starts a new pod, and requests the stop of a running pod that is being deleted.
func (k *Kubelet) onPod(ctx context.Context, object any) {
	updated, ok := object.(*corev1.Pod)
	if !ok || ctx.Err() != nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	p, deleting := k.pods[updated.UID], updated.DeletionTimestamp != nil
	switch {
	case p == nil && k.gone[updated.UID]:
		return // an event that follows the end of the pod
	case p == nil && deleting: // it never ran
		k.gone[updated.UID] = true
		p = k.newPod(updated)
		k.working.Go(func() { p.remove(ctx) })
		return
	case p == nil:
		p = k.newPod(updated)
		k.pods[updated.UID] = p
		k.working.Go(func() {
			p.run(ctx)
			k.mu.Lock()
			defer k.mu.Unlock()
			delete(k.pods, updated.UID)
			k.gone[updated.UID] = true
			k.ended = append(k.ended, p)
		})
	}
	if deleting {
		p.requestStop(time.Duration(*updated.DeletionGracePeriodSeconds) * time.Second)
	}
}

// onPodDeleted kills the process of a pod that was force-deleted.
func (k *Kubelet) onPodDeleted(object any) {
	if last, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = last.Obj
	}
	removed, ok := object.(*corev1.Pod)
	if !ok {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if p := k.pods[removed.UID]; p != nil {
		p.requestStop(0)
	}
}

func (k *Kubelet) newPod(spec *corev1.Pod) *pod {
	k.count++
	p := &pod{
		k:           k,
		spec:        spec.DeepCopy(),
		ip:          fmt.Sprintf("127.%d.%d.%d", k.network, k.count/250, k.count%250+1),
		stopRequest: make(chan time.Duration, 1),
	}
	p.released = k.held[spec.Name]
	if k.o.OwnPorts {
		if err := OwnPorts(&p.spec.Spec); err != nil {
			k.t.Errorf("choosing ports of pod %s: %v", spec.Name, err)
		}
	}
	return p
}
