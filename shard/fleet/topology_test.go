package fleet

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/statefleet/statefleet/shard"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func desiredReplicas(total int) desiredState {
	return desiredState{Assignment: shard.Assignment{Total: total}, Set: "u", Revision: 7}
}

// holding returns reports of n replicas that hold their part of t's target.
func holding(t topology, n int) map[int]replicaReport {
	reports := map[int]replicaReport{}
	for ordinal := range n {
		reports[ordinal] = replicaReport{Generation: t.Generation, Target: t.Target, Holds: true}
	}
	return reports
}

func TestNextTopology(t *testing.T) {
	steady := topology{Generation: 4, Active: 3, Set: "u", Revision: 7}
	growing := topology{Generation: 5, Active: 3, Target: 5, Set: "u", Revision: 7}
	scheduled := growing
	scheduled.SwitchAt = noon.Add(time.Second)
	grown := topology{Generation: 5, Active: 5, Set: "u", Revision: 7}
	decided := func(generation int64, active, target int) topology {
		return topology{Generation: generation, Active: active, Target: target, Set: "u", Revision: 7, StartedAt: noon}
	}
	with := func(t topology, change func(*topology)) topology {
		change(&t)
		return t
	}
	missing := holding(growing, 5)
	delete(missing, 2)
	withdrawn := holding(growing, 5)
	withdrawn[4] = replicaReport{Generation: 5, Target: 5}
	for name, c := range map[string]struct {
		from topology
		in   nextInput
		want topology // zero: nothing to do
	}{
		"nothing changes":                               {from: steady, in: nextInput{Desired: desiredReplicas(3)}},
		"empty":                                         {in: nextInput{Desired: desiredReplicas(3)}, want: decided(1, 3, 0)},
		"empty, with old reports":                       {in: nextInput{Desired: desiredReplicas(3), Reports: map[int]replicaReport{9: {Generation: 8}}}, want: decided(9, 3, 0)},
		"empty, with an absurd report":                  {in: nextInput{Desired: desiredReplicas(3), Reports: map[int]replicaReport{9: {Generation: 1<<63 - 1}}}, want: decided(1, 3, 0)},
		"more are desired":                              {from: steady, in: nextInput{Desired: desiredReplicas(5)}, want: decided(5, 3, 5)},
		"fewer are desired":                             {from: steady, in: nextInput{Desired: desiredReplicas(1)}, want: decided(5, 3, 1)},
		"wait for reports":                              {from: growing, in: nextInput{Desired: desiredReplicas(5)}},
		"one has not reported":                          {from: growing, in: nextInput{Desired: desiredReplicas(5), Reports: missing}},
		"one has restarted":                             {from: growing, in: nextInput{Desired: desiredReplicas(5), Reports: withdrawn}},
		"reports of another generation":                 {from: growing, in: nextInput{Desired: desiredReplicas(5), Reports: holding(with(growing, func(t *topology) { t.Generation = 4 }), 5)}},
		"reports of another target":                     {from: growing, in: nextInput{Desired: desiredReplicas(5), Reports: holding(with(growing, func(t *topology) { t.Target = 4 }), 5)}},
		"all hold":                                      {from: growing, in: nextInput{Desired: desiredReplicas(5), Reports: holding(growing, 5)}, want: with(growing, func(t *topology) { t.SwitchAt = noon.Add(switchLead) })},
		"leaving replicas need not hold":                {from: with(growing, func(t *topology) { t.Target = 2 }), in: nextInput{Desired: desiredReplicas(2), Reports: holding(with(growing, func(t *topology) { t.Target = 2 }), 2)}, want: with(growing, func(t *topology) { t.Target, t.SwitchAt = 2, noon.Add(switchLead) })},
		"another target half-way":                       {from: growing, in: nextInput{Desired: desiredReplicas(4), Reports: holding(growing, 5)}, want: decided(6, 3, 4)},
		"cancelled half-way":                            {from: growing, in: nextInput{Desired: desiredReplicas(3)}, want: decided(6, 3, 0)},
		"switch is scheduled":                           {from: scheduled, in: nextInput{Desired: desiredReplicas(5), Reports: holding(scheduled, 5)}},
		"scheduled switch is not cancelled":             {from: scheduled, in: nextInput{Desired: desiredReplicas(3)}},
		"time of the switch has come":                   {from: with(scheduled, func(t *topology) { t.SwitchAt = noon }), in: nextInput{Desired: desiredReplicas(5)}, want: grown},
		"time of the switch is long past":               {from: with(scheduled, func(t *topology) { t.SwitchAt = noon.Add(-time.Hour) }), in: nextInput{Desired: desiredReplicas(3)}, want: grown},
		"an absurd time is fixed again":                 {from: with(scheduled, func(t *topology) { t.SwitchAt = noon.Add(time.Hour) }), in: nextInput{Desired: desiredReplicas(5), SwitchOverdue: true, Reports: holding(scheduled, 5)}, want: with(growing, func(t *topology) { t.SwitchAt = noon.Add(switchLead) })},
		"stale replica keeps the target":                {from: with(growing, func(t *topology) { t.Revision = 8 }), in: nextInput{Desired: desiredReplicas(3), Stale: true}},
		"stale replica starts no transition":            {from: with(steady, func(t *topology) { t.Revision = 8 }), in: nextInput{Desired: desiredReplicas(5), Stale: true}},
		"stale replica schedules the switch":            {from: with(growing, func(t *topology) { t.Revision = 8 }), in: nextInput{Desired: desiredReplicas(3), Stale: true, Reports: holding(growing, 5)}, want: with(growing, func(t *topology) { t.Revision, t.SwitchAt = 8, noon.Add(switchLead) })},
		"another StatefulSet counts":                    {from: with(growing, func(t *topology) { t.Set, t.Revision = "old", 99 }), in: nextInput{Desired: desiredReplicas(3)}, want: decided(6, 3, 0)},
		"edited by hand":                                {from: with(growing, func(t *topology) { t.Target = 9 }), in: nextInput{Desired: desiredReplicas(3)}, want: decided(6, 3, 0)},
		"one by one":                                    {from: steady, in: nextInput{Desired: withDesired(desiredReplicas(5), func(d *desiredState) { d.OrderedReady = true })}, want: decided(5, 3, 4)},
		"one by one, complete":                          {from: steady, in: nextInput{Desired: withDesired(desiredReplicas(3), func(d *desiredState) { d.OrderedReady = true })}},
		"one by one, down":                              {from: steady, in: nextInput{Desired: withDesired(desiredReplicas(1), func(d *desiredState) { d.OrderedReady = true })}, want: decided(5, 3, 1)},
		"uncoordinated until now":                       {from: with(steady, func(t *topology) { t.Revision = 6 }), in: nextInput{Desired: desiredReplicas(5), Uncoordinated: true}, want: decided(5, 5, 0)},
		"uncoordinated, but the topology is up to date": {from: growing, in: nextInput{Desired: desiredReplicas(5), Uncoordinated: true}},
	} {
		t.Run(name, func(t *testing.T) {
			c.in.Now = noon
			got, ok := c.from.next(c.in)
			if !ok {
				got = topology{}
			}
			if got != c.want {
				t.Errorf("got  %v\nwant %v", got, c.want)
			}
			if !ok {
				return
			}
			if again, err := parseTopology(got.String()); err != nil || again != got {
				t.Errorf("round trip of %v: got %v, error %v", got, again, err)
			}
		})
	}
}

func withDesired(d desiredState, change func(*desiredState)) desiredState {
	change(&d)
	return d
}

func TestGenerationsHaveALimit(t *testing.T) {
	if _, err := parseTopology(topology{Generation: lastGeneration - 1, Active: 3}.String()); err != nil {
		t.Errorf("largest generation: error %v, want none", err)
	}
	_, err := parseTopology(topology{Generation: lastGeneration, Active: 3}.String())
	want := fmt.Sprintf("generation must be between 1 and %d, got %d", int64(lastGeneration-1), int64(lastGeneration))
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("generation beyond the limit: error %v, want one with %q", err, want)
	}
	for generation, want := range map[int64]int64{lastGeneration - 2: lastGeneration - 1, lastGeneration - 1: 1, lastGeneration: 1} {
		if next := nextGeneration(generation); next != want {
			t.Errorf("nextGeneration(%d) = %d, want %d", generation, next, want)
		}
	}
	reports := map[int]replicaReport{0: {Generation: 7}, 1: {Generation: lastGeneration - 1}}
	if newest := newestGeneration(reports); newest != 7 {
		t.Errorf("newestGeneration() = %d, want 7, because no generation can follow the last one", newest)
	}
}

func TestInvalidTopologyIsRejected(t *testing.T) {
	for text, want := range map[string]string{
		``:                              "is empty",
		`yes`:                           "must be a JSON document",
		`{"generation":"4","active":3}`: "must be a JSON document",
		`{"generation":4,"active":3,"switchAt":"noon"}`:      "must be a JSON document",
		`{"generation":0,"active":3}`:                        "got 0",
		`{"generation":9223372036854775807,"active":3}`:      "generation",
		`{"generation":4,"active":0}`:                        "active",
		`{"generation":4,"active":5000}`:                     "active",
		`{"generation":4,"active":3,"target":-1}`:            "target",
		`{"generation":4,"active":3,"target":9999999999999}`: "target",
	} {
		if got, err := parseTopology(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, error %v, want one with %q", text, got, err, want)
		}
	}
}

func TestPlanFollowsTheTopology(t *testing.T) {
	growing := topology{Generation: 5, Active: 3, Target: 5}
	scheduled := growing
	scheduled.SwitchAt = noon
	for _, c := range []struct {
		topology topology
		ordinal  int
		now      time.Time
		want     shard.Plan
	}{
		{topology{Generation: 1, Active: 3}, 1, noon, shard.Plan{Ordinal: 1, Active: 3, Target: 3}},
		{growing, 1, noon, shard.Plan{Ordinal: 1, Active: 3, Target: 5}},
		{scheduled, 1, noon.Add(-time.Second), shard.Plan{Ordinal: 1, Active: 3, Target: 5, SwitchScheduled: true}},
		{scheduled, 1, noon.Add(-time.Hour), shard.Plan{Ordinal: 1, Active: 3, Target: 5, SwitchScheduled: true}},
		{scheduled, 1, noon, shard.Plan{Ordinal: 1, Active: 5, Target: 5}},
		{scheduled, 4, noon, shard.Plan{Ordinal: 4, Active: 5, Target: 5}},
	} {
		if got := c.topology.plan(c.ordinal, c.now); got != c.want {
			t.Errorf("%v at %v: got %+v, want %+v", c.topology, c.now, got, c.want)
		}
	}
	newcomer := growing.plan(4, noon)
	if s := newcomer.Shards(); len(s.Own) != 0 || len(s.TargetOwn) == 0 {
		t.Errorf("new replica: got own shard %v and target %v, want nothing and something", s.Own, s.TargetOwn)
	}
}

func TestInvalidReportsAreIgnored(t *testing.T) {
	got := parseReports(map[string]string{
		"topology": "{}", "replica-": "{}", "replica-x": "{}", "replica-01": "{}", "replica-1": "no", "replica-2": `{"holds":true}`, "other": "",
	})
	if len(got) != 1 || !got[2].Holds {
		t.Errorf("got reports %v, want only that of replica 2", got)
	}
}

func FuzzTopology(f *testing.F) {
	f.Add(`{"generation":4,"active":3,"target":5,"switchAt":"2026-01-02T12:00:00Z"}`, `{"generation":4,"target":5,"holds":true}`)
	f.Fuzz(func(t *testing.T, text, report string) {
		parsed, err := parseTopology(text)
		if err != nil {
			parsed = topology{}
		}
		reports := parseReports(map[string]string{"replica-0": report, "replica-1": report, "replica-2": report})
		next, ok := parsed.next(nextInput{Desired: desiredReplicas(3), Reports: reports, Now: noon})
		if !ok {
			return
		}
		if again, err := parseTopology(next.String()); err != nil || again.Generation < min(parsed.Generation, 1) {
			t.Errorf("next of %s is %s: error %v", text, next, err)
		}
	})
}

func TestMembersWithoutLeavingOnes(t *testing.T) {
	for _, c := range []struct {
		all    members
		leaves []int
		want   members
	}{
		{members{0, 5}, nil, members{0, 5}},
		{members{0, 5}, []int{2, 3, 4}, members{0, 2}},
		{members{0, 5}, []int{4}, members{0, 4}},
		{members{0, 5}, []int{0}, members{1, 4}},
		{members{2, 4}, []int{2, 3}, members{4, 2}},
		{members{0, 7}, []int{2}, members{0, 2}},
		{members{0, 4}, []int{1, 2}, members{0, 1}},
		{members{0, 2}, []int{0, 1}, members{0, 2}},
		{members{0, 2}, []int{7}, members{0, 2}},
	} {
		got := c.all.without(func(number int) bool {
			for _, n := range c.leaves {
				if n == number {
					return true
				}
			}
			return false
		})
		if got != c.want {
			t.Errorf("%+v without %v: got %+v, want %+v", c.all, c.leaves, got, c.want)
		}
	}
}
