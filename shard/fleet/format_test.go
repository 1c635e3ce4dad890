package fleet

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/statefleet/statefleet/internal/testing/faketime"
	"github.com/statefleet/statefleet/shard"
)

// newerTopology returns a topology as a future version of statefleet may write it.
func newerTopology(format, table int) string {
	return fmt.Sprintf(`{"format":%d,"table":%d,"generation":9,"active":3,"target":5,"shape":"round"}`, format, table)
}

func TestNewerVersionIsRecognised(t *testing.T) {
	for _, c := range []struct {
		text string
		want string // part of the error; "": none
	}{
		{newerTopology(formatVersion, tableVersion), ""},
		{`{"generation":9,"active":3}`, ""},
		{newerTopology(formatVersion+1, tableVersion), "format version"},
		{newerTopology(formatVersion, tableVersion+1), "range table"},
		{`{"format":` + fmt.Sprint(formatVersion+1) + `,"table":1,"active":{"3":"round"}}`, "format version"},
	} {
		_, err := parseTopology(c.text)
		if c.want == "" && err != nil || c.want != "" && (!isNewer(err) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: error %v, want one with %q", c.text, err, c.want)
		}
	}
	if text := (topology{Generation: 9, Active: 3}).String(); !strings.HasPrefix(text, `{"format":1,"table":1,`) {
		t.Errorf("String() = %s, want format 1 and table 1 first", text)
	}
}

// The replica neither follows nor overwrites the topology. It reports the versions that it
// supports.
func TestReplicaKeepsServingWhenANewerVersionWroteTheTopology(t *testing.T) {
	steady := topology{Generation: 4, Active: 2, Set: "u", Revision: 7}
	newer := parseContents(map[string]string{topologyKey: newerTopology(formatVersion+1, tableVersion), reportKey(1): `{"format":2}`})
	unknownTable := parseContents(map[string]string{topologyKey: newerTopology(formatVersion+1, tableVersion+1)})
	for name, c := range map[string]struct {
		before *topology
		reads  contents
		want   shard.Plan
	}{
		"serving replica":                 {&steady, newer, shard.Plan{Active: 2, Target: 2}},
		"serving replica, unknown table":  {&steady, unknownTable, shard.Plan{Active: 2, Target: 2}},
		"starting replica":                {nil, newer, shard.Plan{Active: 3, Target: 3}},
		"starting replica, unknown table": {nil, unknownTable, shard.Plan{Active: 4, Target: 4}}, // the desired number: it must become ready
	} {
		t.Run(name, func(t *testing.T) {
			pl := planner{}
			obs := observation{desired: desiredReplicas(4), known: true, usable: true, now: noon}
			if c.before != nil {
				obs.contents = contents{topology: *c.before}
				pl.update(obs)
			}
			obs.contents = c.reads
			pl.update(obs)
			if pl.plan != c.want || !isNewer(pl.problem) {
				t.Errorf("plan %+v, want %+v; problem %v", pl.plan, c.want, pl.problem)
			}
			if next, ok := pl.propose(obs); ok {
				t.Errorf("propose() = %v, want nothing", next)
			}
			if r, ok := pl.report(obs, shard.Held{Target: true, All: true}); !ok || r.Holds || r.Format != formatVersion {
				t.Errorf("report() = %v, %t, want one with the supported versions only", r, ok)
			}
		})
	}
}

// A report of an older format makes others write the topology in that format. The replica must have
// read the newer topology before that.
func TestReplicaReportsOnlyAfterItsFirstDecision(t *testing.T) {
	pl := planner{}
	obs := observation{desired: desiredReplicas(3), known: true, usable: true, now: noon, standby: true,
		contents: parseContents(map[string]string{topologyKey: newerTopology(formatVersion+1, tableVersion)})}
	pl.update(obs)
	if r, ok := pl.report(obs, shard.Held{}); ok {
		t.Errorf("report() = %v before the pods of the fleet are known, want nothing", r)
	}
	obs.peers = peers{0: {ready: true}}
	pl.update(obs)
	if _, ok := pl.report(obs, shard.Held{}); !ok || !isNewer(pl.problem) {
		t.Errorf("reported: %t, problem %v; want a report and the newer version as the problem", ok, pl.problem)
	}
}

// A replica that has read the time of the switch switches in step with the newer ones.
func TestScheduledSwitchHappensAlthoughANewerVersionWritesIt(t *testing.T) {
	scheduled := topology{Generation: 4, Active: 2, Target: 3, SwitchAt: noon.Add(time.Second), Set: "u", Revision: 7}
	pl := planner{}
	obs := observation{desired: desiredReplicas(3), known: true, usable: true, now: noon, contents: contents{topology: scheduled}}
	pl.update(obs)
	obs.contents = parseContents(map[string]string{topologyKey: newerTopology(formatVersion+1, tableVersion)}) // active is 3
	if pl.update(obs); pl.plan.Active != 3 {
		t.Errorf("got plan %+v after another replica has switched, want 3 active", pl.plan)
	}
}

// Once no replica supports the newer format any more, the topology is written in the older one,
// with the same active table.
func TestRollbackRestoresTheOlderFormat(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		object := emptyConfigMap()
		object.Data = map[string]string{topologyKey: newerTopology(formatVersion+1, tableVersion)}
		for number := range 3 {
			object.Data[reportKey(number)] = `{"format":2,"table":1,"generation":9}`
		}
		f := newTestFleet(t, 3, object)
		b, c := f.startReplica(1), f.startReplica(2)
		b.waitPlan(t, shard.Plan{Ordinal: 1, Active: 3, Target: 3})
		c.waitPlan(t, shard.Plan{Ordinal: 2, Active: 3, Target: 3})
		time.Sleep(2 * time.Minute)
		text := func() string {
			now, err := f.client.Tracker().Get(configMaps, namespace, "fleet-topology")
			if err != nil {
				t.Fatal(err)
			}
			return now.(*corev1.ConfigMap).Data[topologyKey]
		}
		if text() != object.Data[topologyKey] {
			t.Errorf("%s was written although a replica that supports the newer format may exist", text())
		}
		if s := c.Status(); s.Coordinated || !errors.As(c.Overview().Problem, new(*newerError)) {
			t.Errorf("got status %+v, problem %v, want an uncoordinated replica and a newerError", s, c.Overview().Problem)
		}
		f.startReplica(0)
		time.Sleep(2 * time.Minute)
		if now, err := parseTopology(text()); err != nil || now.Active != 3 || now.Generation <= 9 {
			t.Errorf("got topology %s, error %v, want 3 active in a supported format", text(), err)
		}
		for _, g := range []*testReplica{b, c} {
			for i, g := range []*testReplica{b, c} {
				g.hold()
				if got := g.plan(); got != (shard.Plan{Ordinal: i + 1, Active: 3, Target: 3}) || !g.Status().Coordinated {
					t.Errorf("replica %d: got plan %+v, status %+v", i+1, got, g.Status())
				}
			}
			if n := strings.Count(g.log.String(), "keeping the current plan"); n != 1 {
				t.Errorf("logged %d times, want once", n)
			}
		}
	})
}

// This allows a fleet to be scaled during an upgrade and during a rollback.
func TestTopologyIsWrittenInTheOldestSupportedFormat(t *testing.T) {
	older, same, newer := `{"format":1}`, fmt.Sprintf(`{"format":%d}`, formatVersion), fmt.Sprintf(`{"format":%d}`, formatVersion+1)
	steady := topology{Generation: 4, Active: 3, Set: "u", Revision: 7}
	for name, c := range map[string]struct {
		reports []string
		format  int // of the topology as it is written
		writes  bool
		want    int
	}{
		"all support it":                                   {[]string{same, same, same}, formatVersion, false, formatVersion},
		"all support a newer one":                          {[]string{same, newer, same}, formatVersion - 1, false, formatVersion},
		"one supports only an older one":                   {[]string{same, older, same}, 1, false, 1},
		"one does not support the written one":             {[]string{same, older, same}, 2, true, 1},
		"one outside the fleet supports only an older one": {[]string{same, same, same, older}, formatVersion, false, formatVersion},
	} {
		t.Run(name, func(t *testing.T) {
			data := map[string]string{topologyKey: steady.text(formatVersion)}
			for number, text := range c.reports {
				data[reportKey(number)] = text
			}
			obs := observation{desired: desiredReplicas(3), known: true, usable: true, now: noon, contents: parseContents(data)}
			obs.format = c.format
			pl := planner{}
			pl.update(obs)
			if next, ok := pl.propose(obs); ok != c.writes || ok && next != steady || pl.format(obs) != c.want {
				t.Errorf("propose() = %v, %t in format %d; want %t in format %d", next, ok, pl.format(obs), c.writes, c.want)
			}
		})
	}
}

// Reports of older replicas have no version, and those of newer ones have unknown fields.
func TestReportsOfOtherVersionsAreRead(t *testing.T) {
	fleet := members{0, 2}
	reports := func(texts ...string) map[int]replicaReport {
		data := map[string]string{}
		for number, text := range texts {
			data[reportKey(number)] = text
		}
		return parseReports(maps.Clone(data))
	}
	for _, c := range []struct {
		reports map[int]replicaReport
		others  bool
	}{
		{reports(`{}`, `{"format":1,"table":1}`), false},
		{reports(`{"format":1,"table":1}`, `{"format":2,"table":1,"mood":"good"}`), true},
		{reports(`{"format":1,"table":1}`, `{"format":1,"table":2}`), true},
		{reports(`{"format":1,"table":1}`), true}, // one has not reported
		{reports(`{}`, `{}`, `{"format":2}`), false},
	} {
		if got := othersKnowNewer(fleet, c.reports); got != c.others {
			t.Errorf("othersKnowNewer(%v) = %t, want %t", c.reports, got, c.others)
		}
	}
}
