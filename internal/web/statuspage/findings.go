package statuspage

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/statefleet/statefleet/internal/watch"
)

// Finding is something unusual, which the page shows first.
type Finding struct {
	Level Level  `json:"level"`
	Text  string `json:"text"`
}

// Level is the severity of a finding.
type Level string

// The levels.
const (
	Problem Level = "problem" // series are or may be missing
	Note    Level = "note"    // unusual, but nothing is missing
)

// Times after which something is a finding.
const (
	maxEventAge   = 5 * time.Minute // bookmarks come about once a minute
	maxScrapeAge  = 5 * time.Minute
	maxTransition = 5 * time.Minute
)

// findings returns all findings, problems first.
func (s Status) findings() []Finding {
	all := slices.Concat(s.replicaFindings(), s.kindFindings(), s.fleetFindings(), s.serverFindings(), s.scrapeFindings())
	slices.SortStableFunc(all, func(a, b Finding) int { return strings.Compare(string(b.Level), string(a.Level)) }) // "problem" before "note"
	return all
}

func problem(format string, args ...any) Finding {
	return Finding{Problem, fmt.Sprintf(format, args...)}
}

func note(format string, args ...any) Finding { return Finding{Note, fmt.Sprintf(format, args...)} }

func (s Status) replicaFindings() (all []Finding) {
	switch {
	case s.Process.NotReady != "":
		all = append(all, problem("This replica is not ready: %s.", s.Process.NotReady))
	case s.Replica.NotServing != "":
		all = append(all, note("This replica is ready but not serving: %s.", s.Replica.NotServing))
	}
	if s.Fleet.ServesNeighbour {
		all = append(all, note("This replica also serves the shard of the replica before it."))
	}
	if s.Process.WebConfigRejected {
		all = append(all, note("The web configuration file was rejected, see the log. The previous one stays in use."))
	}
	return all
}

func (s Status) kindFindings() (all []Finding) {
	names := map[string][]string{} // of kinds, by problem
	for _, k := range s.Replica.Kinds {
		names[string(k.Phase)] = append(names[string(k.Phase)], k.Name)
		if k.Truncated > 0 {
			names["truncated"] = append(names["truncated"], fmt.Sprintf("%s (%d)", k.Name, k.Truncated))
		}
		if k.Phase == watch.Synced && !k.LastContact.IsZero() && s.At.Sub(k.LastContact) > maxEventAge {
			names["quiet"] = append(names["quiet"], k.Name)
		}
	}
	if s.Process.NotReady != "" { // the reason names these kinds
		delete(names, string(watch.Pending))
	}
	for _, p := range []struct{ problem, text string }{
		{string(watch.Forbidden), "The API server forbids reading %s."},
		{string(watch.Absent), "The API server does not have %s."},
		{string(watch.Pending), "Not listed yet: %s."},
		{"truncated", "Objects exceed --object-bytes-limit and lack metric families: %s."},
		{"quiet", "No event for more than " + formatDuration(maxEventAge) + ": %s."},
	} {
		if len(names[p.problem]) > 0 {
			all = append(all, problem(p.text, list(names[p.problem])))
		}
	}
	return all
}

func (s Status) fleetFindings() (all []Finding) {
	f := s.Fleet
	if f.FollowsStatefulSet && f.Active > 0 && !f.Coordinated {
		all = append(all, problem("The fleet is not coordinated; each replica changes its shard alone: %s.", f.Problem))
	}
	if f.StandbyRequested && f.Active > 1 && !f.Standby {
		all = append(all, problem("No replica stands by for another: the fleet's pods cannot be read."))
	}
	if f.FollowsStatefulSet && f.Active > 0 && f.Desired > 0 && f.Target == 0 && f.Active != f.Desired {
		all = append(all, problem("The fleet serves %d shards, the StatefulSet specifies %d, and no transition has started.", f.Active, f.Desired))
	}
	if f.Target != 0 {
		finding := note
		if !f.StartedAt.IsZero() && s.At.Sub(f.StartedAt) > maxTransition {
			finding = problem
		}
		all = append(all, finding("Transition from %d to %d shards, started %s. %s", f.Active, f.Target, s.Age(f.StartedAt), f.waitsFor()))
	}
	return all
}

// serverFindings is about shards that are not served by their own replica.
func (s Status) serverFindings() (all []Finding) {
	for _, r := range s.Fleet.Replicas {
		switch {
		case r.State == podUnknown || r.Ordinal >= s.Fleet.Active:
		case r.ServedBy < 0:
			all = append(all, problem("No replica serves shard %d: pod %s is %s.", r.Ordinal, r.Pod, r.State))
		case r.ServedBy != r.Ordinal:
			all = append(all, note("Replica %d serves shard %d: pod %s is %s.", r.ServedBy, r.Ordinal, r.Pod, r.State))
		}
	}
	return all
}

// podUnknown is the state of pods that are not read.
const podUnknown = "unknown"

// waitsFor returns what a transition waits for.
func (f Fleet) waitsFor() string {
	var late []string
	for _, r := range f.Replicas {
		if r.Ordinal < f.Target && !r.Holds {
			late = append(late, fmt.Sprint(r.Ordinal))
		}
	}
	switch {
	case !f.SwitchAt.IsZero():
		return fmt.Sprintf("It switches at %s.", formatTime(f.SwitchAt))
	case len(late) == 1:
		return fmt.Sprintf("Waiting for replica %s.", late[0])
	case len(late) > 0:
		return fmt.Sprintf("Waiting for replicas %s.", list(late))
	}
	return "All replicas hold their part."
}

func (s Status) scrapeFindings() []Finding {
	last := s.Scrapes.Last
	switch {
	case last.At.IsZero() || s.Replica.NotServing != "":
		return nil
	case !last.Complete:
		return []Finding{problem("The last scrape was not completed.")}
	case s.At.Sub(last.At) > maxScrapeAge:
		return []Finding{problem("The last scrape was %s.", s.Age(last.At))}
	}
	return nil
}

// list joins names, up to a dozen of them.
func list(names []string) string {
	const most = 12
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
