package shard

import "testing"

func equalRanges(t *testing.T, what string, got, want Ranges) {
	t.Helper()
	if !got.Equal(want) {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

func TestPlanReportsItsTransition(t *testing.T) {
	for _, c := range []struct {
		plan              Plan
		transition, grows bool
	}{
		{Plan{Active: 3, Target: 3}, false, false},
		{Plan{Active: 3, Target: 4}, true, true},
		{Plan{Active: 3, Target: 2}, true, false},
		{Plan{Active: 3, Target: 3, Shift: 1}, true, false},
		{Uncoordinated(Assignment{Ordinal: 1, Total: 3}), false, false},
	} {
		if got := c.plan.InTransition(); got != c.transition {
			t.Errorf("%+v: InTransition() = %t, want %t", c.plan, got, c.transition)
		}
		if got := c.plan.Grows(); got != c.grows {
			t.Errorf("%+v: Grows() = %t, want %t", c.plan, got, c.grows)
		}
	}
}

func TestPlanHoldsItsShardsOfBothTables(t *testing.T) {
	two, three, five := mustTable(t, 2), mustTable(t, 3), mustTable(t, 5)
	for name, c := range map[string]struct {
		plan Plan
		want Shards
	}{
		"at rest": {
			Plan{Ordinal: 1, Active: 3, Target: 3},
			Shards{Own: three.Ranges(1), TargetOwn: three.Ranges(1)},
		},
		"standby at rest": {
			Plan{Ordinal: 0, Active: 3, Target: 3, Standby: true},
			Shards{three.Ranges(0), three.Ranges(2), three.Ranges(0), three.Ranges(2)},
		},
		"growing": {
			Plan{Ordinal: 1, Active: 3, Target: 5, Standby: true},
			Shards{three.Ranges(1), three.Ranges(0), five.Ranges(1), five.Ranges(0)},
		},
		"new replica": {
			Plan{Ordinal: 4, Active: 3, Target: 5, Standby: true},
			Shards{TargetOwn: five.Ranges(4), TargetNeighbour: five.Ranges(3)},
		},
		"leaving replica": {
			Plan{Ordinal: 2, Active: 3, Target: 2, Standby: true},
			Shards{Own: three.Ranges(2), Neighbour: three.Ranges(1)},
		},
		"shifted ordinals": {
			Plan{Ordinal: 2, Active: 3, Target: 3, Shift: 1},
			Shards{Own: three.Ranges(2), TargetOwn: three.Ranges(1)},
		},
		"alone with standby": {
			Plan{Ordinal: 0, Active: 1, Target: 2, Standby: true},
			Shards{Own: All(), TargetOwn: two.Ranges(0), TargetNeighbour: two.Ranges(1)},
		},
		"without a table": {Plan{Ordinal: 0, Active: 0, Target: 0}, Shards{}},
	} {
		t.Run(name, func(t *testing.T) {
			got := c.plan.Shards()
			equalRanges(t, "Own", got.Own, c.want.Own)
			equalRanges(t, "Neighbour", got.Neighbour, c.want.Neighbour)
			equalRanges(t, "TargetOwn", got.TargetOwn, c.want.TargetOwn)
			equalRanges(t, "TargetNeighbour", got.TargetNeighbour, c.want.TargetNeighbour)
			equalRanges(t, "Target", got.Target(), c.want.TargetOwn.Union(c.want.TargetNeighbour))
			all := Ranges(nil)
			for _, r := range got.List() {
				all = all.Union(r)
			}
			equalRanges(t, "All", got.All(), all)
		})
	}
}

func TestNeighbourIsTheOrdinalBefore(t *testing.T) {
	for _, c := range [][3]int{{0, 1, 0}, {0, 2, 1}, {1, 2, 0}, {0, 5, 4}, {3, 5, 2}, {4, 5, 3}} {
		if got := Neighbour(c[0], c[1]); got != c[2] {
			t.Errorf("Neighbour(%d, %d) is %d, want %d", c[0], c[1], got, c[2])
		}
	}
}

func TestPlanServesOwnShardAndNeighboursShard(t *testing.T) {
	s := Plan{Ordinal: 1, Active: 3, Target: 3, Standby: true}.Shards()
	for _, c := range []struct {
		neighbour, byStandby bool
		want                 []Ranges
	}{
		{false, false, []Ranges{s.Own}},
		{true, false, []Ranges{s.Own, s.Neighbour}},
		{false, true, nil},
		{true, true, []Ranges{s.Neighbour}},
	} {
		got := Plan{ServesNeighbour: c.neighbour, ServedByStandby: c.byStandby}.Serves(s)
		if len(got) != len(c.want) {
			t.Fatalf("%+v: got %d served shards, want %d", c, len(got), len(c.want))
		}
		for i := range got {
			equalRanges(t, "a served shard", got[i], c.want[i])
		}
	}
}
