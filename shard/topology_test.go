package shard

import (
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func wants(total int) Wanted {
	return Wanted{Assignment: Assignment{Total: total}, Set: "u", Revision: 7}
}

// holding are the reports of n replicas that hold what t prepares.
func holding(t Topology, n int) map[int]Report {
	reports := map[int]Report{}
	for ordinal := range n {
		reports[ordinal] = Report{Generation: t.Generation, Target: t.Target, Holds: true}
	}
	return reports
}

func TestNextStepOfATopology(t *testing.T) {
	steady := Topology{Generation: 4, Active: 3, Set: "u", Revision: 7}
	growing := Topology{Generation: 5, Active: 3, Target: 5, Set: "u", Revision: 7}
	named := growing
	named.SwitchAt = noon.Add(time.Second)
	grown := Topology{Generation: 5, Active: 5, Set: "u", Revision: 7}
	aimed := func(generation int64, active, target int) Topology {
		return Topology{Generation: generation, Active: active, Target: target, Set: "u", Revision: 7, Since: noon}
	}
	with := func(t Topology, change func(*Topology)) Topology {
		change(&t)
		return t
	}
	missing := holding(growing, 5)
	delete(missing, 2)
	dropped := holding(growing, 5)
	dropped[4] = Report{Generation: 5, Target: 5}
	for name, c := range map[string]struct {
		from Topology
		step Step
		want Topology // zero: nothing to do
	}{
		"nothing changes":                 {from: steady, step: Step{Wanted: wants(3)}},
		"empty":                           {step: Step{Wanted: wants(3)}, want: aimed(1, 3, 0)},
		"empty, with old reports":         {step: Step{Wanted: wants(3), Reports: map[int]Report{9: {Generation: 8}}}, want: aimed(9, 3, 0)},
		"empty, with an absurd report":    {step: Step{Wanted: wants(3), Reports: map[int]Report{9: {Generation: 1<<63 - 1}}}, want: aimed(1, 3, 0)},
		"more are wanted":                 {from: steady, step: Step{Wanted: wants(5)}, want: aimed(5, 3, 5)},
		"fewer are wanted":                {from: steady, step: Step{Wanted: wants(1)}, want: aimed(5, 3, 1)},
		"wait for reports":                {from: growing, step: Step{Wanted: wants(5)}},
		"one has not reported":            {from: growing, step: Step{Wanted: wants(5), Reports: missing}},
		"one has restarted":               {from: growing, step: Step{Wanted: wants(5), Reports: dropped}},
		"reports of another generation":   {from: growing, step: Step{Wanted: wants(5), Reports: holding(with(growing, func(t *Topology) { t.Generation = 4 }), 5)}},
		"reports of another target":       {from: growing, step: Step{Wanted: wants(5), Reports: holding(with(growing, func(t *Topology) { t.Target = 4 }), 5)}},
		"all hold":                        {from: growing, step: Step{Wanted: wants(5), Reports: holding(growing, 5)}, want: with(growing, func(t *Topology) { t.SwitchAt = noon.Add(lead) })},
		"those who leave need not hold":   {from: with(growing, func(t *Topology) { t.Target = 2 }), step: Step{Wanted: wants(2), Reports: holding(with(growing, func(t *Topology) { t.Target = 2 }), 2)}, want: with(growing, func(t *Topology) { t.Target, t.SwitchAt = 2, noon.Add(lead) })},
		"another target half-way":         {from: growing, step: Step{Wanted: wants(4), Reports: holding(growing, 5)}, want: aimed(6, 3, 4)},
		"cancelled half-way":              {from: growing, step: Step{Wanted: wants(3)}, want: aimed(6, 3, 0)},
		"the instant is named":            {from: named, step: Step{Wanted: wants(5), Reports: holding(named, 5)}},
		"a named instant stands":          {from: named, step: Step{Wanted: wants(3)}},
		"the instant has come":            {from: with(named, func(t *Topology) { t.SwitchAt = noon }), step: Step{Wanted: wants(5)}, want: grown},
		"the instant is long past":        {from: with(named, func(t *Topology) { t.SwitchAt = noon.Add(-time.Hour) }), step: Step{Wanted: wants(3)}, want: grown},
		"an absurd instant is named anew": {from: with(named, func(t *Topology) { t.SwitchAt = noon.Add(time.Hour) }), step: Step{Wanted: wants(5), Overdue: true, Reports: holding(named, 5)}, want: with(growing, func(t *Topology) { t.SwitchAt = noon.Add(lead) })},
		"old news changes nothing":        {from: with(growing, func(t *Topology) { t.Revision = 8 }), step: Step{Wanted: wants(3), Behind: true}},
		"old news starts nothing":         {from: with(steady, func(t *Topology) { t.Revision = 8 }), step: Step{Wanted: wants(5), Behind: true}},
		"old news still counts the holds": {from: with(growing, func(t *Topology) { t.Revision = 8 }), step: Step{Wanted: wants(3), Behind: true, Reports: holding(growing, 5)}, want: with(growing, func(t *Topology) { t.Revision, t.SwitchAt = 8, noon.Add(lead) })},
		"another StatefulSet counts":      {from: with(growing, func(t *Topology) { t.Set, t.Revision = "old", 99 }), step: Step{Wanted: wants(3)}, want: aimed(6, 3, 0)},
		"edited by hand":                  {from: with(growing, func(t *Topology) { t.Target = 9 }), step: Step{Wanted: wants(3)}, want: aimed(6, 3, 0)},
		"one by one":                      {from: steady, step: Step{Wanted: with2(wants(5), func(w *Wanted) { w.OneByOne = true })}, want: aimed(5, 3, 4)},
		"one by one, down":                {from: steady, step: Step{Wanted: with2(wants(1), func(w *Wanted) { w.OneByOne = true })}, want: aimed(5, 3, 1)},
		"alone until now":                 {from: with(steady, func(t *Topology) { t.Revision = 6 }), step: Step{Wanted: wants(5), Alone: true}, want: aimed(5, 5, 0)},
		"alone, but the others were not":  {from: growing, step: Step{Wanted: wants(5), Alone: true}},
	} {
		t.Run(name, func(t *testing.T) {
			c.step.Now = noon
			got, ok := c.from.Next(c.step)
			if !ok {
				got = Topology{}
			}
			if got != c.want {
				t.Errorf("got  %v\nwant %v", got, c.want)
			}
			if !ok {
				return
			}
			if again, err := ParseTopology(got.String()); err != nil || again != got {
				t.Errorf("%v is read as %v, %v", got, again, err)
			}
		})
	}
}

func with2(w Wanted, change func(*Wanted)) Wanted {
	change(&w)
	return w
}

func TestTopologyThatCannotBeFollowed(t *testing.T) {
	for text, want := range map[string]string{
		``:                              "is empty",
		`yes`:                           "no JSON document",
		`{"generation":"4","active":3}`: "no JSON document",
		`{"generation":4,"active":3,"switchAt":"noon"}`:      "no JSON document",
		`{"generation":0,"active":3}`:                        "generation 0",
		`{"generation":9223372036854775807,"active":3}`:      "generation",
		`{"generation":4,"active":0}`:                        "active",
		`{"generation":4,"active":5000}`:                     "active",
		`{"generation":4,"active":3,"target":-1}`:            "target",
		`{"generation":4,"active":3,"target":9999999999999}`: "target",
	} {
		if got, err := ParseTopology(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v, want an error with %q", text, got, err, want)
		}
	}
}

func TestPlanFollowsTheTopology(t *testing.T) {
	growing := Topology{Generation: 5, Active: 3, Target: 5}
	named := growing
	named.SwitchAt = noon
	for _, c := range []struct {
		topology Topology
		ordinal  int
		now      time.Time
		want     Plan
	}{
		{Topology{Generation: 1, Active: 3}, 1, noon, Plan{Ordinal: 1, Active: 3, Target: 3}},
		{growing, 1, noon, Plan{Ordinal: 1, Active: 3, Target: 5}},
		{named, 1, noon.Add(-time.Second), Plan{Ordinal: 1, Active: 3, Target: 5, Due: true}},
		{named, 1, noon.Add(-time.Hour), Plan{Ordinal: 1, Active: 3, Target: 5, Due: true}},
		{named, 1, noon, Plan{Ordinal: 1, Active: 5, Target: 5}},
		{named, 4, noon, Plan{Ordinal: 4, Active: 5, Target: 5}},
	} {
		if got := c.topology.Plan(c.ordinal, c.now); got != c.want {
			t.Errorf("%v at %v: %+v, want %+v", c.topology, c.now, got, c.want)
		}
	}
	newcomer := growing.Plan(4, noon)
	if s := newcomer.Shards(); len(s.Own) != 0 || len(s.NextOwn) == 0 {
		t.Errorf("a newcomer serves %v and prepares %v", s.Own, s.NextOwn)
	}
}

func TestReportsThatAreNoneAreIgnored(t *testing.T) {
	got := parseReports(map[string]string{
		"topology": "{}", "replica-": "{}", "replica-x": "{}", "replica-01": "{}", "replica-1": "no", "replica-2": `{"holds":true}`, "other": "",
	})
	if len(got) != 1 || !got[2].Holds {
		t.Errorf("%v", got)
	}
}

func FuzzTopology(f *testing.F) {
	f.Add(`{"generation":4,"active":3,"target":5,"switchAt":"2026-01-02T12:00:00Z"}`, `{"generation":4,"target":5,"holds":true}`)
	f.Fuzz(func(t *testing.T, text, report string) {
		topology, err := ParseTopology(text)
		if err != nil {
			topology = Topology{}
		}
		reports := parseReports(map[string]string{"replica-0": report, "replica-1": report, "replica-2": report})
		next, ok := topology.Next(Step{Wanted: wants(3), Reports: reports, Now: noon})
		if !ok {
			return
		}
		if again, err := ParseTopology(next.String()); err != nil || again.Generation < min(topology.Generation, 1) {
			t.Errorf("%s becomes %s: %v", text, next, err)
		}
	})
}
