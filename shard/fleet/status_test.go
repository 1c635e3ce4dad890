package fleet

import (
	"errors"
	"log/slog"
	"regexp"
	"slices"
	"testing"

	"github.com/statefleet/statefleet/shard"
)

// published returns the status that a replica publishes and the messages that it logs.
func published(before, after planner, obs observation) (Status, []string) {
	var log lockedBuffer
	l := &loop{Coordinator: &Coordinator{}, planner: after, log: slog.New(slog.NewTextHandler(&log, nil))}
	l.publishStatus(before, obs)
	var messages []string
	for _, m := range regexp.MustCompile(`msg="([^"]*?)[";]`).FindAllStringSubmatch(log.String(), -1) {
		messages = append(messages, m[1])
	}
	return l.Status(), messages
}

// Pod 11 has ordinal 1 by the StatefulSet, and ordinal 2 by the active table.
func TestStatusHasTheOrdinalOfThePlan(t *testing.T) {
	obs := observation{desired: desiredReplicas(3)}
	obs.desired.Start, obs.desired.Ordinal = 10, 1
	for _, c := range []struct {
		plan           shard.Plan
		ordinal, start int
	}{{shard.Plan{}, 1, 11}, {shard.Plan{Ordinal: 2, Active: 3, Target: 3}, 2, 9}} {
		if s, _ := published(planner{}, planner{plan: c.plan}, obs); s.Ordinal != c.ordinal || s.start != c.start || s.Desired != 3 {
			t.Errorf("plan %+v: got ordinal %d, first pod %d, want %d, %d", c.plan, s.Ordinal, s.start, c.ordinal, c.start)
		}
	}
}

func TestChangesOfThePlanAreLogged(t *testing.T) {
	const assigned, started = "shard assigned", "transition started"
	steady := shard.Plan{Active: 3, Target: 3}
	for _, c := range []struct {
		name       string
		was, is    shard.Plan
		want       []string
		generation int64
	}{
		{name: "first plan", is: steady, want: []string{assigned}},
		{name: "same plan", was: steady, is: steady, generation: 1},
		{name: "a transition", was: steady, is: shard.Plan{Active: 3, Target: 5}, want: []string{started}},
		{name: "a shift", was: steady, is: shard.Plan{Active: 3, Target: 3, Shift: 1}, want: []string{started}},
		{name: "a switch", was: shard.Plan{Active: 3, Target: 5}, is: shard.Plan{Active: 5, Target: 5}, want: []string{assigned}},
		{
			name: "too little memory", was: shard.Plan{Active: 3, Target: 5}, is: shard.Plan{Active: 3, Target: 5, TargetOnly: true},
			want: []string{"the previous container of this pod was killed, probably for lack of memory"},
		},
		{name: "enough memory", was: shard.Plan{Active: 3, Target: 5, TargetOnly: true}, is: shard.Plan{Active: 3, Target: 5}, want: []string{started}},
		{
			name: "serves the neighbour", was: steady, is: shard.Plan{Active: 3, Target: 3, ServesNeighbour: true},
			want: []string{"standby of the neighbour"},
		},
		{
			name: "served by the standby", was: steady, is: shard.Plan{Active: 3, Target: 3, ServedByStandby: true},
			want: []string{"standby of this replica"},
		},
	} {
		after := planner{plan: c.is}
		after.last.Generation = c.generation // a change of the status alone
		_, got := published(planner{plan: c.was}, after, observation{desired: desiredReplicas(3)})
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got messages %q, want %q", c.name, got, c.want)
		}
	}
}

func TestProblemsOfTheTopologyAreLoggedWhenTheyBegin(t *testing.T) {
	const keeping, invalid, implausible = "keeping the current plan", "topology is invalid and will be replaced", "not following the topology"
	broken, newer := errors.New("broken"), &newerError{}
	for _, c := range []struct {
		name    string
		was, is planner
		want    []string
	}{
		{"none", planner{}, planner{}, nil},
		{"becomes invalid", planner{}, planner{problem: broken}, []string{invalid}},
		{"stays invalid", planner{problem: broken}, planner{problem: broken}, nil},
		{"becomes valid", planner{problem: broken}, planner{}, nil},
		{"becomes newer", planner{}, planner{problem: newer}, []string{keeping}},
		{"invalid becomes newer", planner{problem: broken}, planner{problem: newer}, []string{keeping}},
		{"stays newer", planner{problem: newer}, planner{problem: newer}, nil},
		{"becomes supported again", planner{problem: newer}, planner{}, nil},
		{"becomes implausible", planner{}, planner{problem: broken, rejected: 1}, []string{implausible}},
		{"stays implausible", planner{problem: broken, rejected: 1}, planner{problem: broken, rejected: 1}, nil},
	} {
		if _, got := published(c.was, c.is, observation{desired: desiredReplicas(3)}); !slices.Equal(got, c.want) {
			t.Errorf("%s: got messages %q, want %q", c.name, got, c.want)
		}
	}
}

func TestTransitionsThatEndAreCounted(t *testing.T) {
	growing := topology{Generation: 4, Active: 3, Target: 5}
	for _, c := range []struct {
		name    string
		was, is topology
		want    Transitions
	}{
		{"begins", topology{Generation: 4, Active: 3}, topology{Generation: 5, Active: 3, Target: 5}, Transitions{}},
		{"continues", growing, growing, Transitions{}},
		{"switched", growing, topology{Generation: 4, Active: 5}, Transitions{Completed: 1}},
		{"switched, and another begins", growing, topology{Generation: 5, Active: 5, Target: 7}, Transitions{Completed: 1}},
		{"cancelled", growing, topology{Generation: 5, Active: 3}, Transitions{Cancelled: 1}},
		{"replaced", growing, topology{Generation: 5, Active: 3, Target: 4}, Transitions{Replaced: 1}},
		{"topology lost", growing, topology{}, Transitions{}},
	} {
		var got Transitions
		got.count(c.was, c.is)
		if got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
}
