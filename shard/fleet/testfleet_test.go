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

// fakeMember is a Member that holds what it is told to hold.
type fakeMember struct {
	mu    sync.Mutex
	plans []shard.Plan
	holds bool
}

// testFleet is a fleet of Coordinators on one fake API, which gives versions to ConfigMaps and refuses outdated writes as a real one does.
type testFleet struct {
	t       *testing.T
	client  *fake.Clientset
	version int
	mu      sync.Mutex
	set     int64 // revision of the StatefulSet

	backoff  time.Duration // between the attempts of replicas that start; 0: a second
	restored atomic.Bool   // from a backup; see rewind_test.go
}

type testReplica struct {
	*Coordinator
	fakeMember
	log  lockedBuffer
	stop func()
}

func (p *fakeMember) Follow(next shard.Plan) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.plans = append(p.plans, next)
}

func (p *fakeMember) Holds(shard.Plan) shard.Held {
	p.mu.Lock()
	defer p.mu.Unlock()
	return shard.Held{Next: p.holds, All: p.holds}
}

func (p *fakeMember) hold() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.holds = true
}

// plan is the last one it was told, but for SwitchScheduled.
func (p *fakeMember) plan() shard.Plan {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.plans) == 0 {
		return shard.Plan{}
	}
	last := p.plans[len(p.plans)-1]
	last.SwitchScheduled = false
	return last
}

// hold makes the replica hold whatever it is told to hold.
func (g *testReplica) hold() {
	g.fakeMember.hold()
	g.HoldsChanged()
}

func newTestFleet(t *testing.T, replicas int32, objects ...runtime.Object) *testFleet {
	p := &testFleet{t: t, version: 1}
	p.client = fake.NewClientset(append(objects, p.replicas(replicas))...)
	p.client.PrependReactor("update", "configmaps", func(a k8stesting.Action) (bool, runtime.Object, error) {
		next := a.(k8stesting.UpdateAction).GetObject().(*corev1.ConfigMap).DeepCopy()
		return p.write(func(now *corev1.ConfigMap) (*corev1.ConfigMap, error) {
			if now.ResourceVersion != next.ResourceVersion {
				return nil, apierrors.NewConflict(configMaps.GroupResource(), next.Name, errors.New("outdated"))
			}
			return next, nil
		})
	})
	p.client.PrependReactor("patch", "configmaps", func(a k8stesting.Action) (bool, runtime.Object, error) {
		var patch corev1.ConfigMap
		if err := json.Unmarshal(a.(k8stesting.PatchAction).GetPatch(), &patch); err != nil || a.(k8stesting.PatchAction).GetPatchType() != types.MergePatchType {
			t.Errorf("patch %s: %v", a.(k8stesting.PatchAction).GetPatch(), err)
		}
		return p.write(func(now *corev1.ConfigMap) (*corev1.ConfigMap, error) {
			next := now.DeepCopy()
			if next.Data == nil {
				next.Data = map[string]string{}
			}
			maps.Copy(next.Data, patch.Data)
			return next, nil
		})
	})
	return p
}

// write changes the object of the topology, one writer at a time.
func (p *testFleet) write(change func(*corev1.ConfigMap) (*corev1.ConfigMap, error)) (bool, runtime.Object, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now, err := p.client.Tracker().Get(configMaps, namespace, "fleet-topology")
	if err != nil {
		return true, nil, err
	}
	next, err := change(now.(*corev1.ConfigMap))
	if err != nil {
		return true, nil, err
	}
	p.version++
	next.ResourceVersion = strconv.Itoa(p.version)
	return true, next.DeepCopy(), p.client.Tracker().Update(configMaps, next, namespace)
}

func (p *testFleet) replicas(n int32) runtime.Object {
	s := set("fleet", n)
	p.set++
	s.UID, s.Generation = "set", p.set
	return s
}

func (p *testFleet) scale(n int32) {
	p.t.Helper()
	if err := p.client.Tracker().Update(statefulSets, p.replicas(n), namespace); err != nil {
		p.t.Fatal(err)
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

// join starts the replica of an ordinal; it ends with the test.
func (p *testFleet) startReplica(ordinal int) *testReplica { return p.startPod(ordinal, false) }

// startStandby does, in a fleet whose replicas stand by for one another.
func (p *testFleet) startStandby(ordinal int) *testReplica { return p.startPod(ordinal, true) }

func (p *testFleet) startPod(ordinal int, standby bool) *testReplica {
	return p.startMember(ordinal, standby, nil)
}

// startMember starts a replica with a member of its own; nil: a fakeMember.
func (p *testFleet) startMember(ordinal int, standby bool, member Member) *testReplica {
	g := &testReplica{}
	if member == nil {
		member = &g.fakeMember
	}
	g.Coordinator = &Coordinator{
		Discovery: Discovery{Client: p.client, Namespace: namespace, Pod: fmt.Sprint("fleet-", ordinal), Standby: standby,
			Logger: slog.New(slog.NewTextHandler(&g.log, nil)), Backoff: wait.Backoff{Duration: cmp.Or(p.backoff, time.Second)}},
		Member: member,
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	g.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			p.t.Errorf("Run: %v", err)
		}
		if p.t.Failed() {
			p.t.Logf("replica %d:\n%s", ordinal, g.log.String())
		}
	})
	p.t.Cleanup(g.stop)
	return g
}

func (p *testFleet) topology() topology {
	now, err := p.client.Tracker().Get(configMaps, namespace, "fleet-topology")
	if err != nil {
		return topology{}
	}
	t, _ := parseTopology(now.(*corev1.ConfigMap).Data[topologyKey])
	return t
}

// until looks again and again, a moment after everybody waits: then what has begun to be watched is, and what comes next
// does not happen at the same instant.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for began := time.Now(); time.Since(began) < waitTimeout; {
		time.Sleep(5 * time.Millisecond)
		if ok() {
			return
		}
	}
	t.Fatalf("not in time: %s", what)
}

func (g *testReplica) waitPlan(t *testing.T, want shard.Plan) {
	t.Helper()
	until(t, fmt.Sprintf("plan %+v", want), func() bool { return g.plan() == want })
}
