package fleet

import (
	"errors"
	"log/slog"
	"regexp"
	"slices"
	"testing"

	"github.com/statefleet/statefleet/shard"
)

// published returns the status that a replica publishes, and the messages that it logs meanwhile.
func published(before, after planner, snap snapshot) (Status, []string) {
	var log lockedBuffer
	l := &loop{Coordinator: &Coordinator{}, planner: after, log: slog.New(slog.NewTextHandler(&log, nil))}
	l.publishStatus(before, snap)
	var messages []string
	for _, m := range regexp.MustCompile(`msg="([^"]*?)[";]`).FindAllStringSubmatch(log.String(), -1) {
		messages = append(messages, m[1])
	}
	return l.Status(), messages
}

// Pod 11 has ordinal 1 by the StatefulSet, and ordinal 2 by the active table.
func TestStatusHasTheOrdinalOfThePlan(t *testing.T) {
	snap := snapshot{desired: desiredReplicas(3)}
	snap.desired.Start, snap.desired.Ordinal = 10, 1
	for _, c := range []struct {
		plan           shard.Plan
		ordinal, start int
	}{{shard.Plan{}, 1, 11}, {shard.Plan{Ordinal: 2, Active: 3, Target: 3}, 2, 9}} {
		if s, _ := published(planner{}, planner{plan: c.plan}, snap); s.Ordinal != c.ordinal || s.start != c.start || s.Desired != 3 {
			t.Errorf("plan %+v: ordinal %d, first pod %d", c.plan, s.Ordinal, s.start)
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
		{name: "the first", is: steady, want: []string{assigned}},
		{name: "the same", was: steady, is: steady, generation: 1},
		{name: "a transition", was: steady, is: shard.Plan{Active: 3, Target: 5}, want: []string{started}},
		{name: "a shift", was: steady, is: shard.Plan{Active: 3, Target: 3, Shift: 1}, want: []string{started}},
		{name: "a switch", was: shard.Plan{Active: 3, Target: 5}, is: shard.Plan{Active: 5, Target: 5}, want: []string{assigned}},
		{
			name: "more memory is needed", was: shard.Plan{Active: 3, Target: 5}, is: shard.Plan{Active: 3, Target: 5, NextOnly: true},
			want: []string{"the previous container of this pod was killed, probably for lack of memory"},
		},
		{name: "enough memory", was: shard.Plan{Active: 3, Target: 5, NextOnly: true}, is: shard.Plan{Active: 3, Target: 5}, want: []string{started}},
		{
			name: "for the neighbour", was: steady, is: shard.Plan{Active: 3, Target: 3, ServesNeighbour: true},
			want: []string{"standby of the neighbour"},
		},
		{
			name: "by another", was: steady, is: shard.Plan{Active: 3, Target: 3, ServedByStandby: true},
			want: []string{"standby of this replica"},
		},
	} {
		after := planner{plan: c.is}
		after.last.Generation = c.generation // a change of the status alone
		_, got := published(planner{plan: c.was}, after, snapshot{desired: desiredReplicas(3)})
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: logged %q, want %q", c.name, got, c.want)
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
		{"it is invalid", planner{}, planner{problem: broken}, []string{invalid}},
		{"it still is", planner{problem: broken}, planner{problem: broken}, nil},
		{"it is valid again", planner{problem: broken}, planner{}, nil},
		{"it is newer", planner{}, planner{problem: newer}, []string{keeping}},
		{"it is newer instead", planner{problem: broken}, planner{problem: newer}, []string{keeping}},
		{"it is still newer", planner{problem: newer}, planner{problem: newer}, nil},
		{"it is older again", planner{problem: newer}, planner{}, nil},
		{"it is implausible", planner{}, planner{problem: broken, rejected: 1}, []string{implausible}},
		{"it still is implausible", planner{problem: broken, rejected: 1}, planner{problem: broken, rejected: 1}, nil},
	} {
		if _, got := published(c.was, c.is, snapshot{desired: desiredReplicas(3)}); !slices.Equal(got, c.want) {
			t.Errorf("%s: logged %q, want %q", c.name, got, c.want)
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
		{"none", topology{Generation: 4, Active: 3}, topology{Generation: 5, Active: 3, Target: 5}, Transitions{}},
		{"it goes on", growing, growing, Transitions{}},
		{"switched", growing, topology{Generation: 4, Active: 5}, Transitions{Completed: 1}},
		{"switched, and another began", growing, topology{Generation: 5, Active: 5, Target: 7}, Transitions{Completed: 1}},
		{"back", growing, topology{Generation: 5, Active: 3}, Transitions{Cancelled: 1}},
		{"another target", growing, topology{Generation: 5, Active: 3, Target: 4}, Transitions{Replaced: 1}},
		{"lost", growing, topology{}, Transitions{}},
	} {
		var got Transitions
		got.count(c.was, c.is)
		if got != c.want {
			t.Errorf("%s: counted %+v, want %+v", c.name, got, c.want)
		}
	}
}
