package fleet

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"

	"github.com/statefleet/statefleet/shard"
)

var errAway = apierrors.NewServiceUnavailable("away")

var configMaps = corev1.SchemeGroupVersion.WithResource("configmaps")

// fakeMember is a Member that holds everything from the call of hold on.
type fakeMember struct {
	mu    sync.Mutex
	plans []shard.Plan
	holds bool
}

// testFleet is a fleet of Coordinators on one fake API. The API versions ConfigMaps and rejects
// outdated writes like a real one.
type testFleet struct {
	t       *testing.T
	client  *fake.Clientset
	version int
	mu      sync.Mutex
	set     int64 // metadata.generation of the StatefulSet

	api      *Client       // of the replicas; nil: one that uses client
	backoff  time.Duration // of the replicas, between attempts; 0: one second
	restored atomic.Bool   // whether a backup was restored; see restore_test.go
}

type testReplica struct {
	*Coordinator
	fakeMember
	log  lockedBuffer
	stop func()
}

func (m *fakeMember) Follow(next shard.Plan) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.plans = append(m.plans, next)
}

func (m *fakeMember) Holds(shard.Plan) shard.Held {
	m.mu.Lock()
	defer m.mu.Unlock()
	return shard.Held{Target: m.holds, All: m.holds}
}

func (m *fakeMember) hold() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.holds = true
}

// plan returns the last plan, without SwitchScheduled.
func (m *fakeMember) plan() shard.Plan {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.plans) == 0 {
		return shard.Plan{}
	}
	last := m.plans[len(m.plans)-1]
	last.SwitchScheduled = false
	return last
}

// hold makes the replica hold everything that its plan asks for.
func (g *testReplica) hold() {
	g.fakeMember.hold()
	g.HoldsChanged()
}

func newTestFleet(t *testing.T, replicas int32, existing ...runtime.Object) *testFleet {
	f := &testFleet{t: t, version: 1}
	f.client = fake.NewClientset(append(existing, f.replicas(replicas))...)
	f.client.PrependReactor("update", "configmaps", func(a k8stesting.Action) (bool, runtime.Object, error) {
		next := a.(k8stesting.UpdateAction).GetObject().(*corev1.ConfigMap).DeepCopy()
		return f.write(func(now *corev1.ConfigMap) (*corev1.ConfigMap, error) {
			if now.ResourceVersion != next.ResourceVersion {
				return nil, apierrors.NewConflict(configMaps.GroupResource(), next.Name, errors.New("outdated"))
			}
			return next, nil
		})
	})
	f.client.PrependReactor("patch", "configmaps", func(a k8stesting.Action) (bool, runtime.Object, error) {
		var patch corev1.ConfigMap
		if err := json.Unmarshal(a.(k8stesting.PatchAction).GetPatch(), &patch); err != nil || a.(k8stesting.PatchAction).GetPatchType() != types.MergePatchType {
			t.Errorf("patch %s: %v", a.(k8stesting.PatchAction).GetPatch(), err)
		}
		return f.write(func(now *corev1.ConfigMap) (*corev1.ConfigMap, error) {
			next := now.DeepCopy()
			if next.Data == nil {
				next.Data = map[string]string{}
			}
			maps.Copy(next.Data, patch.Data)
			return next, nil
		})
	})
	return f
}

// write changes the topology ConfigMap, one writer at a time.
func (f *testFleet) write(change func(*corev1.ConfigMap) (*corev1.ConfigMap, error)) (bool, runtime.Object, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now, err := f.client.Tracker().Get(configMaps, namespace, "fleet-topology")
	if err != nil {
		return true, nil, err
	}
	next, err := change(now.(*corev1.ConfigMap))
	if err != nil {
		return true, nil, err
	}
	f.version++
	next.ResourceVersion = strconv.Itoa(f.version)
	return true, next.DeepCopy(), f.client.Tracker().Update(configMaps, next, namespace)
}

func (f *testFleet) replicas(n int32) runtime.Object {
	s := set("fleet", n)
	f.set++
	s.UID, s.Generation = "set", f.set
	return s
}

func (f *testFleet) scale(n int32) {
	f.t.Helper()
	if err := f.client.Tracker().Update(statefulSets, f.replicas(n), namespace); err != nil {
		f.t.Fatal(err)
	}
}

func emptyConfigMap() *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "fleet-topology", ResourceVersion: "1"}}
}

func configMapWith(t topology) *corev1.ConfigMap {
	b := emptyConfigMap()
	b.Data = map[string]string{topologyKey: t.String()}
	return b
}

// startReplica starts the replica of an ordinal without standby. It ends with the test.
func (f *testFleet) startReplica(ordinal int) *testReplica { return f.startPod(ordinal, false) }

// startStandby is startReplica with standby.
func (f *testFleet) startStandby(ordinal int) *testReplica { return f.startPod(ordinal, true) }

func (f *testFleet) startPod(ordinal int, standby bool) *testReplica {
	return f.startMember(ordinal, standby, nil)
}

// startMember starts a replica with the given member, or with its own fakeMember if that is nil.
func (f *testFleet) startMember(ordinal int, standby bool, member Member) *testReplica {
	g := &testReplica{}
	if member == nil {
		member = &g.fakeMember
	}
	g.Coordinator = &Coordinator{
		Member: member,
		Client: cmp.Or(f.api, clientOf(f.client)), Namespace: namespace, Pod: fmt.Sprint("fleet-", ordinal), Standby: standby,
		Logger: slog.New(slog.NewTextHandler(&g.log, nil)), Backoff: wait.Backoff{Duration: cmp.Or(f.backoff, time.Second)},
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	g.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			f.t.Errorf("Run returned %v, want nil", err)
		}
		if f.t.Failed() {
			f.t.Logf("replica %d:\n%s", ordinal, g.log.String())
		}
	})
	f.t.Cleanup(g.stop)
	return g
}

// await waits until the watches of a replica have started, and returns its loop.
func (g *testReplica) await() *loop {
	time.Sleep(100 * time.Millisecond)
	return g.loop.Load()
}

func (f *testFleet) topology() topology {
	now, err := f.client.Tracker().Get(configMaps, namespace, "fleet-topology")
	if err != nil {
		return topology{}
	}
	t, _ := parseTopology(now.(*corev1.ConfigMap).Data[topologyKey])
	return t
}

// until waits for a condition. It sleeps before each check, so that all watches have started and no two
// events happen at the same time.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for began := time.Now(); time.Since(began) < waitTimeout; {
		time.Sleep(5 * time.Millisecond)
		if ok() {
			return
		}
	}
	t.Fatalf("timed out waiting for %s", what)
}

func (g *testReplica) waitPlan(t *testing.T, want shard.Plan) {
	t.Helper()
	until(t, fmt.Sprintf("plan %+v", want), func() bool { return g.plan() == want })
}
