package shard

import (
	"errors"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	k8stesting "k8s.io/client-go/testing"

	"github.com/statefleet/statefleet/internal/faketime"
)

func TestOverviewOfAnAssignment(t *testing.T) {
	o := Assignment{Ordinal: 1, Total: 3}.Overview()
	if o.Coordinated || o.Active != 3 || o.Target != 0 || o.StatefulSet != "" || o.Problem != nil || len(o.Replicas) != 3 {
		t.Fatalf("%+v", o)
	}
	var whole Ranges
	for i, r := range o.Replicas {
		if r.Ordinal != i || r.Self != (i == 1) || r.State != PodUnknown || r.Server != i || r.Next != nil || r.Holds {
			t.Errorf("%+v", r)
		}
		whole = whole.Union(r.Own)
	}
	if !whole.Equal(All()) {
		t.Errorf("together they own %v", whole)
	}
	if o := (Assignment{Ordinal: 7, Total: 1000}).Overview(); len(o.Replicas) != 1000 || o.Replicas[7].Own != nil || !o.Replicas[7].Self {
		t.Error("a large fleet has no ranges, but its replicas")
	}
}

func TestOverviewBeforeAnythingIsKnown(t *testing.T) {
	if o := new(Coordinator).Overview(); len(o.Replicas) != 0 || o.Active != 0 || !o.TopologyHeard.IsZero() {
		t.Errorf("%+v", o)
	}
}

func TestOverviewOfAChange(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		board := boardWith(Topology{Generation: 4, Active: 2, Target: 3, Set: "set", Revision: 1, Since: noon})
		board.Data[reportKey(1)] = Report{Generation: 4, Target: 3, Holds: true}.String()
		board.Data[reportKey(2)] = Report{Generation: 3, Target: 3, Holds: true}.String() // of an earlier change
		before := time.Now()
		a := newParty(t, 3, board).join(0)
		a.waitPlan(t, Plan{Ordinal: 0, Active: 2, Target: 3})
		var o Overview
		until(t, "an overview", func() bool { o = a.Overview(); return len(o.Replicas) == 3 })
		if !o.Coordinated || o.Active != 2 || o.Target != 3 || o.StatefulSet != "fleet" || o.Topology != "fleet-topology" || o.Problem != nil {
			t.Errorf("%+v", o)
		}
		if o.SetHeard.Before(before) || o.TopologyHeard.Before(before) || !o.PodsHeard.IsZero() {
			t.Errorf("heard of the StatefulSet %v, the topology %v, the pods %v", o.SetHeard, o.TopologyHeard, o.PodsHeard)
		}
		for i, want := range []struct {
			holds, own bool
			server     int
		}{{false, true, 0}, {true, true, 1}, {false, false, -1}} {
			r := o.Replicas[i]
			if r.Holds != want.holds || (r.Own != nil) != want.own || r.Next == nil || r.Server != want.server || r.State != PodUnknown {
				t.Errorf("replica %d: %+v", i, r)
			}
		}
		if o.Replicas[2].Pod != "fleet-2" || !o.Replicas[0].Self {
			t.Errorf("%+v", o.Replicas)
		}
	})
}

func TestOverviewShowsWhoServes(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		p := newParty(t, 4, boardWith(Topology{Generation: 1, Active: 4, Set: "set", Revision: 1}),
			fleetPod("fleet-0", true, false), fleetPod("fleet-1", false, false), fleetPod("fleet-2", true, false),
			fleetPod("fleet-3", true, true), fleetPod("fleet-5", false, true))
		a := p.joinStandby(0)
		a.waitPlan(t, Plan{Ordinal: 0, Active: 4, Target: 4, Standby: true, Covers: true})
		o := a.Overview()
		if o.PodsHeard.IsZero() || !o.Covers {
			t.Errorf("%+v", o)
		}
		want := []struct {
			ordinal int
			state   PodState
			server  int
		}{{0, PodReady, 0}, {1, PodUnready, 2}, {2, PodReady, 2}, {3, PodStopping, 0}, {5, PodStopping, -1}}
		if len(o.Replicas) != len(want) {
			t.Fatalf("%+v", o.Replicas)
		}
		for i, w := range want {
			if r := o.Replicas[i]; r.Ordinal != w.ordinal || r.State != w.state || r.Server != w.server {
				t.Errorf("%+v, want %+v", r, w)
			}
		}
		v := snapshot{peers: peers{1: {ready: true}}}
		if v.state(0) != PodAbsent || v.server(0, 0, 1) != -1 || v.server(2, 0, 4) != -1 {
			t.Error("an absent pod is taken for one that serves")
		}
	})
}

func TestOverviewSaysWhyTheFleetIsNotCoordinated(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		a := newParty(t, 2).join(0)
		a.waitPlan(t, Plan{Ordinal: 0, Active: 2, Target: 2})
		until(t, "the reason", func() bool { return errors.Is(a.Overview().Problem, errMissing) })

		p := newParty(t, 2, boardWith(Topology{Generation: 1, Active: 2, Set: "set", Revision: 1}))
		p.client.PrependReactor("list", "configmaps", func(k8stesting.Action) (bool, runtime.Object, error) {
			return true, nil, apierrors.NewForbidden(configMaps.GroupResource(), "fleet-topology", nil)
		})
		b := p.join(0)
		b.waitPlan(t, Plan{Ordinal: 0, Active: 2, Target: 2})
		until(t, "the reason", func() bool { return errors.Is(b.Overview().Problem, errForbidden) })
	})
}

func TestBookmarksAreNews(t *testing.T) {
	b, r, f := &topologyStore{}, &roster{}, &follower{heard: new(heard)}
	for _, s := range []interface{ Bookmark(string) error }{b, r, f} {
		if err := s.Bookmark("1"); err != nil {
			t.Error(err)
		}
	}
	if b.heard.time().IsZero() || r.heard.time().IsZero() || f.heard.time().IsZero() {
		t.Error("not heard of")
	}
}
