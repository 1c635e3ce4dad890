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
		t.Errorf("findings of an unremarkable status: %v", found)
	}
	for name, c := range map[string]struct {
		change func(*Status)
		level  Level
		want   string
	}{
		"not ready":         {func(s *Status) { s.Process.NotReady = "not synced yet: pods" }, Problem, "not synced yet: pods"},
		"served by standby": {func(s *Status) { s.Replica.NotServing = "another serves" }, Note, "another serves"},
		"serves neighbour":  {func(s *Status) { s.Fleet.ServesNeighbour = true }, Note, "also serves the shard of the replica before it"},
		"pending":           {func(s *Status) { s.Replica.Kinds[0].Phase = watch.Pending }, Problem, "Not listed yet: jobs."},
		"quiet":             {func(s *Status) { s.Replica.Kinds[1].LastContact = noon.Add(-6 * time.Minute) }, Problem, "No event for more than 5 min: pods."},
		"uncoordinated":     {func(s *Status) { s.Fleet.Coordinated, s.Fleet.Problem = false, "ConfigMap not found" }, Problem, "ConfigMap not found"},
		"no standby":        {func(s *Status) { s.Fleet.Standby = false }, Problem, "No replica stands by"},
		"not as desired":    {func(s *Status) { s.Fleet.Desired = 1024 }, Problem, "serves 2 shards, the StatefulSet specifies 1024, and no transition has started"},
		"transition":        {func(s *Status) { s.Fleet.Desired, s.Fleet.Target = 3, 3 }, Note, "from 2 to 3 shards, started 60 s ago. All replicas hold their part."},
		"long transition":   {func(s *Status) { s.Fleet.Target, s.Fleet.StartedAt = 3, noon.Add(-time.Hour) }, Problem, "started 60 min ago"},
		"about to switch":   {func(s *Status) { s.Fleet.Target, s.Fleet.SwitchAt = 3, noon.Add(time.Second) }, Note, "It switches at 12:00:01 UTC."},
		"web configuration": {func(s *Status) { s.Process.WebConfigRejected = true }, Note, "web configuration file was rejected"},
		"truncated":         {func(s *Status) { s.Replica.Kinds[0].Truncated = 2 }, Problem, "lack metric families: jobs (2)."},
		"late": {func(s *Status) {
			s.Fleet.Target, s.Fleet.Replicas = 3, append(s.Fleet.Replicas, fleet.Replica{Ordinal: 2, State: podUnknown})
		}, Note, "Waiting for replica 2."},
		"no server":         {func(s *Status) { s.Fleet.Replicas[0].ServedBy, s.Fleet.Replicas[0].State = -1, "absent" }, Problem, "No replica serves shard 0: pod statefleet-0 is absent."},
		"no scrape":         {func(s *Status) { s.Scrapes.Last.At = noon.Add(-6 * time.Minute) }, Problem, "The last scrape was 6 min ago."},
		"incomplete scrape": {func(s *Status) { s.Scrapes.Last.Complete = false }, Problem, "not completed"},
	} {
		s := unremarkable()
		c.change(&s)
		found := s.findings()
		if len(found) != 1 || found[0].Level != c.level || !strings.Contains(found[0].Text, c.want) {
			t.Errorf("%s: %v, want one %s with %q", name, found, c.level, c.want)
		}
	}
}

func TestProblemsComeBeforeNotes(t *testing.T) {
	s := example()
	s.Process.NotReady, s.Replica.Kinds[0].Phase = "not synced yet: jobs", watch.Pending
	found := s.findings()
	if len(found) < 4 || found[0].Level != Problem || found[len(found)-1].Level != Note {
		t.Errorf("not sorted by level: %v", found)
	}
	for _, f := range found {
		if strings.HasPrefix(f.Text, "Not listed yet") {
			t.Error("a repeated finding: the reason of not being ready names the kinds")
		}
	}
}

func TestLongListsAreCut(t *testing.T) {
	if got := list(strings.Split(strings.Repeat("x ", 14), " ")); !strings.HasSuffix(got, "x and 3 more") {
		t.Errorf("a long list: %q", got)
	}
}
