package fleet

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"

	"github.com/statefleet/statefleet/internal/watch/objects"
	"github.com/statefleet/statefleet/shard"
)

const (
	namespace   = "monitoring"
	waitTimeout = 30 * time.Second // reached only by a failing test
)

var statefulSets = appsv1.SchemeGroupVersion.WithResource("statefulsets")

func set(name string, replicas int32) *appsv1.StatefulSet {
	return &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       appsv1.StatefulSetSpec{Replicas: &replicas},
	}
}

func owner(apiVersion, kind, name string) *metav1.OwnerReference {
	return &metav1.OwnerReference{APIVersion: apiVersion, Kind: kind, Name: name, Controller: new(true)}
}

func pod(name string, controller *metav1.OwnerReference) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	if controller != nil {
		p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: "bystander"}, *controller}
	}
	return p
}

// clientOf returns a Client of the fake API.
func clientOf(fake kubernetes.Interface) *Client {
	core := fake.CoreV1()
	return &Client{
		StatefulSets: adapter[*appsv1.StatefulSet, *appsv1.StatefulSetList]{fake.AppsV1().StatefulSets(namespace)},
		ConfigMaps:   adapter[*corev1.ConfigMap, *corev1.ConfigMapList]{core.ConfigMaps(namespace)},
		Pods:         adapter[*corev1.Pod, *corev1.PodList]{core.Pods(namespace)},
	}
}

// adapter is an [objects.API] that uses a typed client of client-go.
type adapter[T objects.Object, L runtime.Object] struct{ typed typedClient[T, L] }

type typedClient[T, L any] interface {
	Get(ctx context.Context, name string, opts metav1.GetOptions) (T, error)
	List(ctx context.Context, opts metav1.ListOptions) (L, error)
	Watch(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error)
	Update(ctx context.Context, object T, opts metav1.UpdateOptions) (T, error)
	Patch(ctx context.Context, name string, form types.PatchType, patch []byte, opts metav1.PatchOptions, sub ...string) (T, error)
}

func (a adapter[T, L]) Get(ctx context.Context, name string) (T, error) {
	return a.typed.Get(ctx, name, metav1.GetOptions{})
}

func (a adapter[T, L]) List(ctx context.Context, opts metav1.ListOptions) ([]T, string, error) {
	list, err := a.typed.List(ctx, opts)
	if err != nil {
		return nil, "", err
	}
	return objects.Items[T](list)
}

func (a adapter[T, L]) Watch(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
	return a.typed.Watch(ctx, opts)
}

func (a adapter[T, L]) Update(ctx context.Context, object T) (T, error) {
	return a.typed.Update(ctx, object, metav1.UpdateOptions{})
}

func (a adapter[T, L]) MergePatch(ctx context.Context, name string, patch []byte) (T, error) {
	return a.typed.Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{})
}

// rig runs one Coordinator's discovery of its StatefulSet against a fake API.
type rig struct {
	t      *testing.T
	client *fake.Clientset
	c      Coordinator
	got    chan shard.Assignment
	log    lockedBuffer
	stop   func()
}

// prepare returns a rig that does not run yet.
func prepare(t *testing.T, podName string, existing ...runtime.Object) *rig {
	r := &rig{
		t:      t,
		client: fake.NewClientset(existing...),
		got:    make(chan shard.Assignment, 100),
	}
	r.c = Coordinator{
		Client:    clientOf(r.client),
		Namespace: namespace,
		Pod:       podName,
		Logger:    slog.New(slog.NewTextHandler(&r.log, nil)),
		Backoff:   wait.Backoff{Duration: time.Millisecond},
	}
	return r
}

// run delivers the desired state of the StatefulSet until ctx ends, without coordinating.
func (c *Coordinator) run(ctx context.Context, changed func(desiredState)) error {
	stem, err := c.identity()
	if err != nil {
		return err
	}
	name, _, err := c.findStatefulSet(ctx, stem)
	if err != nil || name == "" {
		return err
	}
	var last desiredState
	c.newStatefulSetWatcher(name, func(d observedDesired) {
		if d.desiredState != last {
			last = d.desiredState
			changed(last)
		}
	}).Run(ctx)
	return nil
}

func (r *rig) run() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	var inside atomic.Int32
	go func() {
		ended <- r.c.run(ctx, func(d desiredState) {
			if inside.Add(1) != 1 {
				r.t.Error("two calls of changed run concurrently")
			}
			r.got <- d.Assignment
			time.Sleep(time.Millisecond)
			inside.Add(-1)
		})
	}()
	r.stop = sync.OnceFunc(func() {
		time.Sleep(time.Minute) // for unexpected deliveries
		cancel()
		if err := <-ended; err != nil {
			r.t.Errorf("run returned %v, want nil", err)
		}
		if len(r.got) > 0 {
			r.t.Errorf("got the assignment %v, want no further one", <-r.got)
		}
	})
	r.t.Cleanup(r.stop)
}

// start returns a rig that runs and watches the StatefulSet, so that it receives every later change.
func start(t *testing.T, podName string, existing ...runtime.Object) *rig {
	r := prepare(t, podName, existing...)
	r.run()
	time.Sleep(time.Second)
	return r
}

// await receives from a channel. It fails the test after waitTimeout.
func await[T any](t *testing.T, from <-chan T, what string) T {
	t.Helper()
	var got T
	select {
	case got = <-from:
	case <-time.After(waitTimeout):
		t.Fatalf("timed out waiting for %s", what)
	}
	return got
}

// want receives the next assignment.
func (r *rig) want(ordinal, total int) shard.Assignment {
	r.t.Helper()
	want := shard.Assignment{Ordinal: ordinal, Total: total}
	got := await(r.t, r.got, want.String())
	if got != want {
		r.t.Fatalf("got %v, want %v", got, want)
	}
	return got
}

// logged waits until text was logged, and fails the test unless it was logged exactly once.
func (r *rig) logged(text string) {
	r.t.Helper()
	until(r.t, text+" in the log", func() bool { return strings.Contains(r.log.String(), text) })
	time.Sleep(time.Minute)
	if n := strings.Count(r.log.String(), text); n != 1 {
		r.t.Fatalf("%q was logged %d times, want once:\n%s", text, n, r.log.String())
	}
}

func (r *rig) check(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) update(s *appsv1.StatefulSet) {
	r.t.Helper()
	r.check(r.client.Tracker().Update(statefulSets, s, namespace))
}

func (r *rig) create(s *appsv1.StatefulSet) {
	r.t.Helper()
	r.check(r.client.Tracker().Create(statefulSets, s, namespace))
}

func (r *rig) delete(name string) {
	r.t.Helper()
	r.check(r.client.Tracker().Delete(statefulSets, namespace, name))
}

// failFirst makes the next n requests fail with 503. The counter is how many of them are left.
func (r *rig) failFirst(verb, resource string, n int32) *atomic.Int32 {
	left := new(atomic.Int32)
	left.Store(n)
	away := apierrors.NewServiceUnavailable("away")
	if verb == "watch" {
		r.client.PrependWatchReactor(resource, func(k8stesting.Action) (bool, watch.Interface, error) {
			return left.Add(-1) >= 0, nil, away
		})
		return left
	}
	r.client.PrependReactor(verb, resource, func(k8stesting.Action) (bool, runtime.Object, error) {
		return left.Add(-1) >= 0, nil, away
	})
	return left
}

// lockedBuffer is a log that can be read while it is written.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
