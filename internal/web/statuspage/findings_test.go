package statuspage

import (
	"strings"
	"testing"
	"time"

	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/shard/fleet"
)

// unremarkable returns a status without findings.
func unremarkable() Status {
	s := example()
	f := &s.Fleet
	f.Desired, f.Target, f.Replicas, f.ServesNeighbour, s.Replica.Kinds = 2, 0, f.Replicas[:1], false, s.Replica.Kinds[:2]
	return s
}

func TestFindings(t *testing.T) {
	if found := unremarkable().findings(); len(found) != 0 {
		t.Errorf("an unremarkable status: got findings %v, want none", found)
	}
	for name, c := range map[string]struct {
		change func(*Status)
		level  Level
		want   string
	}{
		"not ready":            {func(s *Status) { s.Process.NotReady = "not synced yet: pods" }, Problem, "not synced yet: pods"},
		"served by standby":    {func(s *Status) { s.Replica.NotServing = "another serves" }, Note, "another serves"},
		"serves neighbour":     {func(s *Status) { s.Fleet.ServesNeighbour = true }, Note, "also serves the shard of the replica before it"},
		"pending":              {func(s *Status) { s.Replica.Kinds[0].Phase = watch.Pending }, Problem, "Not listed yet: jobs."},
		"quiet":                {func(s *Status) { s.Replica.Kinds[1].LastContact = noon.Add(-6 * time.Minute) }, Problem, "No event for more than 5 min: pods."},
		"uncoordinated":        {func(s *Status) { s.Fleet.Coordinated, s.Fleet.Problem = false, "ConfigMap not found" }, Problem, "ConfigMap not found"},
		"no standby":           {func(s *Status) { s.Fleet.Standby = false }, Problem, "No replica stands by"},
		"not as desired":       {func(s *Status) { s.Fleet.Desired = 1024 }, Problem, "serves 2 shards, the StatefulSet specifies 1024, and no transition has started"},
		"transition":           {func(s *Status) { s.Fleet.Desired, s.Fleet.Target = 3, 3 }, Note, "from 2 to 3 shards, started 60 s ago. All replicas hold their part."},
		"long transition":      {func(s *Status) { s.Fleet.Target, s.Fleet.StartedAt = 3, noon.Add(-time.Hour) }, Problem, "started 60 min ago"},
		"about to switch":      {func(s *Status) { s.Fleet.Target, s.Fleet.SwitchAt = 3, noon.Add(time.Second) }, Note, "It switches at 12:00:01 UTC."},
		"configuration":        {func(s *Status) { s.Process.ConfigRefused = "config.yaml: no such file" }, Problem, "a restart would fail: config.yaml: no such file."},
		"web configuration":    {func(s *Status) { s.Process.WebConfigRefused = "web.yaml: is empty" }, Problem, "web configuration file was refused. The previous one is in use, but a restart would fail: web.yaml: is empty."},
		"no family":            {func(s *Status) { s.Process.ExposesNothing = true }, Problem, "No metric family is exposed"},
		"warning":              {func(s *Status) { s.Process.Warnings = []string{`--metric-denylist: pattern "x" matches nothing`} }, Note, `Configuration: --metric-denylist: pattern "x" matches nothing.`},
		"waits for the switch": {func(s *Status) { s.Fleet.Ordinal, s.Process.NotReady = 2, "holds its shard of 3" }, Note, "not ready: holds its shard of 3."},
		"unreachable": {func(s *Status) {
			for i := range s.Replica.Kinds {
				s.Replica.Kinds[i].Outage, s.Replica.Kinds[i].LastContact = "https://a:443: connection refused", noon.Add(-time.Hour)
			}
		}, Problem, "Cannot reach the API server https://a:443: connection refused (2 kinds)."},
		"truncated":       {func(s *Status) { s.Replica.Kinds[0].Truncated = 2 }, Problem, "lack metric families: jobs (2)."},
		"limit":           {func(s *Status) { s.Replica.Kinds[0].LimitReached = true }, Problem, "No room for another object, by --object-limit or --byte-limit: jobs."},
		"failed objects":  {func(s *Status) { s.Replica.Kinds[0].FailedObjects = 2 }, Problem, "could not be rendered; times since the start: jobs (2)."},
		"failed families": {func(s *Status) { s.Replica.Kinds[0].FailedFamilies = 3 }, Problem, "lack a metric family that could not be rendered; times since the start: jobs (3)."},
		"late": {func(s *Status) {
			s.Fleet.Target, s.Fleet.Replicas = 3, append(s.Fleet.Replicas, fleet.Replica{Ordinal: 2})
		}, Note, "Waiting for replica 2."},
		"pod that is pending": {func(s *Status) {
			s.Fleet.Target = 3
			s.Fleet.Replicas = append(s.Fleet.Replicas, fleet.Replica{
				Ordinal: 2, Pod: "statefleet-2", State: "pending", Reason: "Unschedulable: 0/2 nodes are available.",
			})
		}, Note, "Waiting for replica 2; pod statefleet-2 is pending: Unschedulable: 0/2 nodes are available."},
		"no server":         {func(s *Status) { s.Fleet.Replicas[0].ServedBy, s.Fleet.Replicas[0].State = nil, "absent" }, Problem, "No replica serves shard 0: pod statefleet-0 is absent."},
		"no scrape":         {func(s *Status) { s.Scrapes.Last.At = noon.Add(-6 * time.Minute) }, Problem, "The last scrape was 6 min ago."},
		"incomplete scrape": {func(s *Status) { s.Scrapes.Last.Complete = false }, Problem, "not completed"},
	} {
		s := unremarkable()
		c.change(&s)
		found := s.findings()
		if len(found) != 1 || found[0].Level != c.level || !strings.Contains(found[0].Text, c.want) {
			t.Errorf("%s: got %v, want one %s with %q", name, found, c.level, c.want)
		}
	}
}

// A replica that a scale-up has added is not ready before the switch. No series are missing meanwhile.
func TestReplicaOutsideOfTheActiveShardsSaysWhatItWaitsFor(t *testing.T) {
	replicas := func(held ...bool) (all []fleet.Replica) {
		for i, h := range held {
			all = append(all, fleet.Replica{Ordinal: i, Self: i == 3, Holds: h})
		}
		return all
	}
	for _, c := range []struct {
		target   int
		replicas []fleet.Replica
		want     string
	}{
		{5, replicas(true, true, true, true, false), "holds its shard of 5; waiting for replica 4, since 6 s"},
		{6, replicas(true, false, true, true, false, true), "holds its shard of 6; waiting for replicas 1, 4, since 6 s"},
		{5, replicas(true, true, true, true, true), "holds its shard of 5; waiting for the switch, since 6 s"},
		{5, replicas(true, true, true, false, false), "is loading its shard of 5, since 6 s"},
		{0, replicas(true, true, true, true), "has no shard: its ordinal is 3, and the fleet has 2 shards"},
	} {
		o := fleet.Overview{Status: fleet.Status{Ordinal: 3, Active: 2, Target: c.target, StartedAt: noon}, Replicas: c.replicas}
		if got := NoShard(o, noon.Add(6*time.Second)); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestProblemsComeBeforeNotes(t *testing.T) {
	s := example()
	s.Process.NotReady, s.Replica.Kinds[0].Phase = "not synced yet: jobs", watch.Pending
	found := s.findings()
	if len(found) < 4 || found[0].Level != Problem || found[len(found)-1].Level != Note {
		t.Errorf("got %v, want problems before notes", found)
	}
	for _, f := range found {
		if strings.HasPrefix(f.Text, "Not listed yet") {
			t.Error("a finding repeats the kinds that the reason for not being ready names")
		}
	}
}

func TestLongListsAreCut(t *testing.T) {
	if got := list(strings.Split(strings.Repeat("x ", 14), " ")); !strings.HasSuffix(got, "x and 3 more") {
		t.Errorf("a long list: got %q, want 12 names and the number of the others", got)
	}
}
