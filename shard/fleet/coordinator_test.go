package fleet

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"

	"github.com/statefleet/statefleet/internal/faketime"
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

// hold makes the replica hold whatever it is told to hold.
func (g *testReplica) hold() {
	g.fakeMember.hold()
	g.HoldsChanged()
}

type testReplica struct {
	*Coordinator
	fakeMember
	log  lockedBuffer
	stop func()
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

func TestFleetChangesOverWhenEveryReplicaHolds(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		p := newTestFleet(t, 2, emptyConfigMap())
		a, b := p.startReplica(0), p.startReplica(1)
		a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 2, Target: 2})
		b.waitPlan(t, shard.Plan{Ordinal: 1, Active: 2, Target: 2})
		until(t, "a topology", func() bool { return p.topology().Active == 2 })
		p.scale(3)
		a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 2, Target: 3})
		c := p.startReplica(2)
		c.waitPlan(t, shard.Plan{Ordinal: 2, Active: 2, Target: 3})
		if s := a.Status(); !s.Coordinated || s.Active != 2 || s.Target != 3 || s.StartedAt.IsZero() {
			t.Errorf("status %+v", s)
		}
		a.hold()
		c.hold()
		until(t, "two reports", func() bool {
			now, err := p.client.Tracker().Get(configMaps, namespace, "fleet-topology")
			if err != nil {
				return false
			}
			all := parseReports(now.(*corev1.ConfigMap).Data)
			return all[0].Holds && all[2].Holds && !all[1].Holds
		})
		time.Sleep(10 * time.Minute)
		if s := p.topology(); !s.SwitchAt.IsZero() {
			t.Errorf("%v before the last replica holds", s)
		}
		b.hold()
		for i, g := range []*testReplica{a, b, c} {
			g.waitPlan(t, shard.Plan{Ordinal: i, Active: 3, Target: 3})
		}
		until(t, "the switch is written down", func() bool { return p.topology().Active == 3 && p.topology().Target == 0 })
		until(t, "the change is counted", func() bool { return a.Status().Transitions == Transitions{Completed: 1} })
	})
}

func TestRestartTakesBackWhatTheReplicaHeld(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		growing := topology{Generation: 4, Active: 1, Target: 2, Set: "set", Revision: 1}
		object := configMapWith(growing)
		object.Data[reportKey(0)] = replicaReport{Generation: 4, Target: 2, Holds: true, Incarnation: "before"}.String()
		p := newTestFleet(t, 2, object)
		a := p.startReplica(0)
		a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 1, Target: 2})
		until(t, "the report is taken back", func() bool {
			now, err := p.client.Tracker().Get(configMaps, namespace, "fleet-topology")
			return err == nil && !parseReports(now.(*corev1.ConfigMap).Data)[0].Holds
		})
	})
}

func TestWithoutTheObjectEachReplicaGoesAlone(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		p := newTestFleet(t, 2)
		began := time.Now()
		a := p.startReplica(0)
		a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 2, Target: 2})
		if waited := time.Since(began); waited < initialWait {
			t.Errorf("it went alone after %s", waited)
		}
		p.scale(3)
		a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 3, Target: 3})
		if a.Status().Coordinated {
			t.Error("coordinated without a topology")
		}
		if n := strings.Count(a.log.String(), "level=WARN"); n != 1 || !strings.Contains(a.log.String(), "does not exist") {
			t.Errorf("%d warnings, want one that says why:\n%s", n, a.log.String())
		}
		if err := p.client.Tracker().Create(configMaps, emptyConfigMap(), namespace); err != nil {
			t.Fatal(err)
		}
		until(t, "coordination begins", func() bool { return a.Status().Coordinated && p.topology().Active == 3 })
		p.scale(5)
		a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 3, Target: 5})
		if err := p.client.Tracker().Delete(configMaps, namespace, "fleet-topology"); err != nil {
			t.Fatal(err)
		}
		until(t, "the news", func() bool { return !a.Status().Coordinated })
		time.Sleep(topologyGrace - time.Second)
		a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 3, Target: 5}) // it may be back soon
		if err := p.client.Tracker().Create(configMaps, emptyConfigMap(), namespace); err != nil {
			t.Fatal(err)
		}
		until(t, "coordination goes on", func() bool { return a.Status().Coordinated && p.topology().Active == 3 })
	})
}

// The object is gone: what it said last is followed for a while, and by whoever never knew it what the StatefulSet says.
func TestLostTopologyIsFollowedForAWhile(t *testing.T) {
	growing := topology{Generation: 4, Active: 2, Target: 3, Set: "u", Revision: 7}
	pl := planner{incarnation: "x"}
	snap := snapshot{desired: desiredReplicas(3), known: true, usable: true, contents: parseContents(map[string]string{topologyKey: growing.String()}), now: noon}
	at := func(after time.Duration, want shard.Plan) {
		t.Helper()
		snap.now = noon.Add(after)
		if pl.update(snap); pl.plan != want {
			t.Errorf("after %s: plan %+v, want %+v", after, pl.plan, want)
		}
	}
	held, alone := shard.Plan{Active: 2, Target: 3}, shard.Plan{Active: 3, Target: 3}
	at(0, held)
	snap.usable, snap.contents = false, contents{}
	at(time.Second, held)
	at(topologyGrace, held)
	at(time.Second+topologyGrace, alone)
	if !pl.uncoordinated {
		t.Error("not alone when the object stays away")
	}
	pl = planner{incarnation: "y"}
	snap.absent = true
	at(2*time.Minute, shard.Plan{}) // others may go by one
	at(2*time.Minute+initialWait-1, shard.Plan{})
	at(2*time.Minute+initialWait, alone)
	pl = planner{incarnation: "z"}
	snap.absent = false // it may not be read, and never will
	at(3*time.Minute, alone)
	pl, snap.usable, snap.contents = planner{incarnation: "a"}, true, parseContents(nil)
	at(4*time.Minute, alone) // it is as it is delivered
	pl, snap.contents = planner{incarnation: "b"}, parseContents(map[string]string{topologyKey: "garbled"})
	at(5*time.Minute, shard.Plan{}) // others will write it
	at(5*time.Minute+restoreGrace, alone)
	pl, snap.contents, snap.usable, snap.absent = planner{incarnation: "c"}, parseContents(nil), false, true
	at(6*time.Minute, shard.Plan{})
	snap.usable, snap.absent = true, false
	at(6*time.Minute+time.Second, shard.Plan{}) // it is back, empty: others will write it
	at(6*time.Minute+time.Second+restoreGrace, alone)
}

func TestReplicaOutsideOfTheFleetKeepsItsPlanWhenAlone(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		p := newTestFleet(t, 3)
		a := p.startReplica(2)
		a.waitPlan(t, shard.Plan{Ordinal: 2, Active: 3, Target: 3})
		p.scale(2)
		until(t, "the news", func() bool { return a.Status().Desired == 2 })
		time.Sleep(10 * time.Minute)
		a.waitPlan(t, shard.Plan{Ordinal: 2, Active: 3, Target: 3})
		if err := a.Drain(t.Context()); err != nil {
			t.Errorf("a replica that is alone waits: %v", err)
		}
	})
}

func TestMissingRightsAreLoggedOnceAndMended(t *testing.T) {
	for _, verb := range []string{"list", "update"} {
		t.Run(verb, func(t *testing.T) {
			faketime.Test(t, func(t *testing.T) {
				p := newTestFleet(t, 2, emptyConfigMap())
				var mended sync.Map
				p.client.PrependReactor(verb, "configmaps", func(k8stesting.Action) (bool, runtime.Object, error) {
					_, allowed := mended.Load(verb)
					return !allowed, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "configmaps"}, "fleet-topology", errors.New("no rule"))
				})
				a := p.startReplica(0)
				a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 2, Target: 2})
				until(t, "a warning", func() bool { return strings.Contains(a.log.String(), "without waiting for the others") })
				p.scale(4)
				a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 4, Target: 4})
				mended.Store(verb, true)
				until(t, "coordination begins", func() bool { return a.Status().Coordinated && p.topology().Active == 4 })
				if n := strings.Count(a.log.String(), "level=WARN"); n != 1 {
					t.Errorf("%d warnings:\n%s", n, a.log.String())
				}
			})
		})
	}
}

// failing makes so many writes fail as it is told.
func (p *testFleet) failing(err error) *atomic.Int64 {
	left := new(atomic.Int64)
	for _, verb := range []string{"update", "patch"} {
		p.client.PrependReactor(verb, "configmaps", func(k8stesting.Action) (bool, runtime.Object, error) {
			return left.Add(-1) >= 0, nil, err
		})
	}
	return left
}

func TestOutageChangesNothing(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		p := newTestFleet(t, 2, configMapWith(topology{Generation: 4, Active: 2, Set: "set", Revision: 1}))
		failing := p.failing(errAway)
		a := p.startReplica(0)
		a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 2, Target: 2})
		failing.Store(6)
		p.scale(1)
		a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 2, Target: 1})
		a.hold()
		a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 1, Target: 1})
	})
}

func TestDrainWaitsForTheSwitch(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		p := newTestFleet(t, 2, configMapWith(topology{Generation: 4, Active: 2, Set: "set", Revision: 1}))
		a, b := p.startReplica(0), p.startReplica(1)
		a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 2, Target: 2})
		b.waitPlan(t, shard.Plan{Ordinal: 1, Active: 2, Target: 2})
		if err := b.Drain(t.Context()); err != nil {
			t.Errorf("a replica that is to come back waits: %v", err)
		}
		p.scale(1)
		b.waitPlan(t, shard.Plan{Ordinal: 1, Active: 2, Target: 1})
		drained := make(chan error, 1)
		go func() { drained <- b.Drain(t.Context()) }()
		until(t, "the others know that it leaves", func() bool {
			now, err := p.client.Tracker().Get(configMaps, namespace, "fleet-topology")
			return err == nil && parseReports(now.(*corev1.ConfigMap).Data)[1].isLeaving(time.Now())
		})
		time.Sleep(10 * time.Minute)
		select {
		case err := <-drained:
			t.Fatal("it did not wait: ", err)
		default:
		}
		a.hold()
		if err := await(t, drained, "the end of the drain"); err != nil {
			t.Error(err)
		}
		if got := p.topology(); got.Active != 1 {
			t.Errorf("it ended with %v", got)
		}
	})
}

// The signal may come before the news that it comes of.
func TestDrainHearsOutWhy(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		p := newTestFleet(t, 2, configMapWith(topology{Generation: 4, Active: 2, Set: "set", Revision: 1}))
		a, b := p.startReplica(0), p.startReplica(1)
		a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 2, Target: 2})
		b.waitPlan(t, shard.Plan{Ordinal: 1, Active: 2, Target: 2})
		drained := make(chan error, 1)
		go func() { drained <- b.Drain(t.Context()) }()
		p.scale(1)
		b.waitPlan(t, shard.Plan{Ordinal: 1, Active: 2, Target: 1})
		time.Sleep(10 * time.Minute)
		select {
		case err := <-drained:
			t.Fatal("it ended before another has taken over: ", err)
		default:
		}
		a.hold()
		if err := await(t, drained, "the end of the drain"); err != nil {
			t.Error(err)
		}
		if got := p.topology(); got.Active != 1 {
			t.Errorf("it ended with %v", got)
		}
	})
}

func TestOldStateOfTheObjectIsIgnored(t *testing.T) {
	b := &topologyStore{name: "fleet-topology", changed: make(chan struct{}, 1)}
	version := func(v, data string) *corev1.ConfigMap {
		object := emptyConfigMap()
		object.ResourceVersion, object.Data = v, map[string]string{"v": data}
		return object
	}
	for _, object := range []any{version("9", "new"), version("10", "newer"), version("9", "new"), nil, pod("fleet", nil)} {
		if err := errors.Join(b.Add(object), b.Update(object)); err != nil {
			t.Error(err)
		}
	}
	if is := b.read(); is.err != nil || !is.known || is.object.Data["v"] != "newer" {
		t.Errorf("%+v", is)
	}
	b.listed(&corev1.ConfigMapList{}, b.held())
	if is := b.read(); !is.known || !errors.Is(is.err, errMissing) {
		t.Errorf("%+v", is)
	}
}

func TestNamedSwitchNeedsNoAPIServer(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		named := topology{Generation: 4, Active: 2, Target: 3, SwitchAt: time.Now().Add(time.Second), Set: "set", Revision: 1}
		p := newTestFleet(t, 3, configMapWith(named))
		p.client.PrependReactor("update", "configmaps", func(k8stesting.Action) (bool, runtime.Object, error) {
			return true, nil, apierrors.NewServiceUnavailable("away")
		})
		a := p.startReplica(0)
		a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 2, Target: 3})
		a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 3, Target: 3})
		atTheInstant(t, named.SwitchAt)
		time.Sleep(10 * time.Minute)
		if got := p.topology(); got.Active != 2 {
			t.Errorf("somebody wrote %v", got)
		}
	})
}

// atTheInstant fails unless a wait that ends now was for that.
func atTheInstant(t *testing.T, instant time.Time) {
	t.Helper()
	if late := time.Since(instant); late < 0 || late > 10*time.Millisecond {
		t.Errorf("changed over %s after the instant", late)
	}
}

// TestBrokenWatchDoesNotDelayTheSwitch: a replica whose watch says nothing any more hears of the switch in time.
func TestBrokenWatchDoesNotDelayTheSwitch(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		p := newTestFleet(t, 3, configMapWith(topology{Generation: 4, Active: 2, Target: 3, Set: "set", Revision: 1}))
		p.client.PrependWatchReactor("configmaps", func(k8stesting.Action) (bool, watch.Interface, error) {
			return true, watch.NewRaceFreeFake(), nil
		})
		a := p.startReplica(0)
		a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 2, Target: 3})
		instant := time.Now().Add(switchLead)
		if _, _, err := p.write(func(now *corev1.ConfigMap) (*corev1.ConfigMap, error) {
			next := now.DeepCopy()
			next.Data[topologyKey] = topology{Generation: 4, Active: 2, Target: 3, SwitchAt: instant, Set: "set", Revision: 1}.String()
			return next, nil
		}); err != nil {
			t.Fatal(err)
		}
		a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 3, Target: 3})
		atTheInstant(t, instant)
	})
}

// TestReplicaWhoseWatchIsSilentHearsWhatOthersHaveDecided: its own proposal is refused, since others were quicker, and
// what they have written does not come.
func TestReplicaWhoseWatchIsSilentHearsWhatOthersHaveDecided(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		p := newTestFleet(t, 2, configMapWith(topology{Generation: 4, Active: 2, Set: "set", Revision: 1}))
		p.client.PrependWatchReactor("configmaps", func(k8stesting.Action) (bool, watch.Interface, error) {
			return true, watch.NewRaceFreeFake(), nil
		})
		a := p.startReplica(0)
		a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 2, Target: 2})
		if _, _, err := p.write(func(now *corev1.ConfigMap) (*corev1.ConfigMap, error) {
			next := now.DeepCopy()
			next.Data[topologyKey] = topology{Generation: 5, Active: 2, Target: 3, Set: "set", Revision: 2}.String()
			return next, nil
		}); err != nil {
			t.Fatal(err)
		}
		p.scale(3)
		a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 2, Target: 3})
	})
}

// TestPassingRefusalChangesNothing: an API server that has just started refuses for a moment what it will allow.
func TestPassingRefusalChangesNothing(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		p := newTestFleet(t, 2, configMapWith(topology{Generation: 4, Active: 2, Set: "set", Revision: 1}))
		failing := p.failing(apierrors.NewForbidden(schema.GroupResource{Resource: "configmaps"}, "fleet-topology", errors.New("not read yet")))
		a := p.startReplica(0)
		a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 2, Target: 2})
		failing.Store(4)
		a.hold()
		p.scale(1)
		a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 1, Target: 1})
		a.stop()
		if got, want := a.plans, []shard.Plan{{Active: 2, Target: 2}, {Active: 2, Target: 1}, {Active: 2, Target: 1, SwitchScheduled: true}, {Active: 1, Target: 1}}; !slices.Equal(got, want) {
			t.Errorf("plans %v, want %v", got, want)
		}
		b := &topologyStore{name: "fleet-topology", changed: make(chan struct{}, 1), object: emptyConfigMap(), known: true}
		if forbidden := apierrors.NewForbidden(schema.GroupResource{}, "", nil); !b.recordForbidden(t.Context(), forbidden) {
			t.Error("a refusal is not noticed")
		}
		if is := b.read(); is.err != nil || !is.recheck.Equal(b.deniedSince.Add(deniedGrace)) {
			t.Errorf("a refusal of a moment: %+v", is)
		}
		b.deniedSince = time.Now().Add(-2 * deniedGrace)
		if is := b.read(); !errors.Is(is.err, errForbidden) {
			t.Errorf("a refusal that lasts: %+v", is)
		}
	})
}
