package statuspage

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/shard/fleet"
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
	Problem Level = "problem" // series are missing, or may be now or after a restart
	Note    Level = "note"    // unusual, but nothing is missing
)

// Ages above which an event, a scrape or a transition is a finding.
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
	case s.Process.NotReady != "" && s.Fleet.Outside():
		all = append(all, note("This replica is not ready: %s.", s.Process.NotReady))
	case s.Process.NotReady != "":
		all = append(all, problem("This replica is not ready: %s.", s.Process.NotReady))
	case s.Replica.NotServing != "":
		all = append(all, note("This replica is ready but not serving: %s.", s.Replica.NotServing))
	}
	if s.Fleet.ServesNeighbour {
		all = append(all, note("This replica also serves the shard of the replica before it."))
	}
	const stays = "The previous one is in use, but a restart would fail"
	if err := s.Process.ConfigRefused; err != "" {
		all = append(all, problem("The configuration was refused. %s: %s.", stays, err))
	}
	if err := s.Process.WebConfigRefused; err != "" {
		all = append(all, problem("The web configuration file was refused. %s: %s.", stays, err))
	}
	if s.Process.ExposesNothing {
		all = append(all, problem("No metric family is exposed: the kinds and the lists of metric families leave none."))
	}
	for _, w := range s.Process.Warnings {
		all = append(all, note("Configuration: %s.", w))
	}
	return all
}

func (s Status) kindFindings() (all []Finding) {
	names := map[string][]string{} // of kinds, by problem
	outages := map[string]int{}    // kinds that the API server does not answer for, by reason
	for _, k := range s.Replica.Kinds {
		if k.Outage != "" {
			outages[k.Outage]++
			continue
		}
		names[string(k.Phase)] = append(names[string(k.Phase)], k.Name)
		if k.Truncated > 0 {
			names["truncated"] = append(names["truncated"], fmt.Sprintf("%s (%d)", k.Name, k.Truncated))
		}
		if k.LimitReached {
			names["limit"] = append(names["limit"], k.Name)
		}
		if k.FailedObjects > 0 {
			names["failed objects"] = append(names["failed objects"], fmt.Sprintf("%s (%d)", k.Name, k.FailedObjects))
		}
		if k.FailedFamilies > 0 {
			names["failed families"] = append(names["failed families"], fmt.Sprintf("%s (%d)", k.Name, k.FailedFamilies))
		}
		if k.Phase == watch.Synced && !k.LastContact.IsZero() && s.At.Sub(k.LastContact) > maxEventAge {
			names["quiet"] = append(names["quiet"], k.Name)
		}
	}
	if s.Process.NotReady != "" && !s.Fleet.Outside() { // the reason names these kinds
		delete(names, string(watch.Pending))
		clear(outages)
	}
	for _, reason := range slices.Sorted(maps.Keys(outages)) {
		all = append(all, problem("Cannot reach the API server %s (%s).", reason, plural(outages[reason], "kind")))
	}
	for _, p := range []struct{ problem, text string }{
		{string(watch.Forbidden), "The API server forbids reading %s."},
		{string(watch.Absent), "The API server does not have %s."},
		{string(watch.Pending), "Not listed yet: %s."},
		{"truncated", "Objects exceed --object-bytes-limit and lack metric families: %s."},
		{"limit", "No room for another object, by --object-limit or --byte-limit: %s."},
		{"failed objects", "Objects were left out because they could not be rendered; times since the start: %s."},
		{"failed families", "Objects lack a metric family that could not be rendered; times since the start: %s."},
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

// serverFindings returns findings about shards that their own replica does not serve.
func (s Status) serverFindings() (all []Finding) {
	for _, r := range s.Fleet.Replicas {
		switch {
		case r.State == fleet.PodUnknown || r.Ordinal < 0 || r.Ordinal >= s.Fleet.Active:
		case r.ServedBy == nil:
			all = append(all, problem("No replica serves shard %d: %s.", r.Ordinal, describePod(r)))
		case !r.ServesItself():
			all = append(all, note("Replica %d serves shard %d: %s.", *r.ServedBy, r.Ordinal, describePod(r)))
		}
	}
	return all
}

// waitsFor returns what a transition waits for.
func (f Fleet) waitsFor() string {
	late := f.Late()
	switch {
	case !f.SwitchAt.IsZero():
		return fmt.Sprintf("It switches at %s.", formatTime(f.SwitchAt))
	case len(late) > 0:
		return fmt.Sprintf("Waiting for %s%s.", replicas(late), f.unreadyPod(late))
	}
	return "All replicas hold their part."
}

// unreadyPod describes the pod of the first of some replicas that is not ready, after a semicolon;
// "" if there is none.
func (f Fleet) unreadyPod(ordinals []int) string {
	for _, r := range f.Replicas {
		if slices.Contains(ordinals, r.Ordinal) && r.State != fleet.PodUnknown && r.State != fleet.PodReady {
			return "; " + describePod(r)
		}
	}
	return ""
}

// describePod returns, for example, "pod statefleet-4 is pending: Unschedulable: 0/2 nodes are
// available".
func describePod(r fleet.Replica) string {
	text := fmt.Sprintf("pod %s is %s", r.Pod, r.State)
	if r.Reason != "" {
		text += ": " + strings.TrimSuffix(r.Reason, ".")
	}
	return text
}

// NoShard returns what a replica waits for that the active shards do not include, such as "holds
// its shard of 5; waiting for replica 4, since 6 s". The subject is the replica.
func NoShard(o fleet.Overview, now time.Time) string {
	self := slices.IndexFunc(o.Replicas, func(r fleet.Replica) bool { return r.Self })
	if self < 0 || !o.InTarget(o.Replicas[self]) {
		return fmt.Sprintf("has no shard: its ordinal is %d, and the fleet has %s", o.Ordinal, plural(o.Active, "shard"))
	}
	since := formatDuration(now.Sub(o.StartedAt))
	if !o.Replicas[self].Holds {
		return fmt.Sprintf("is loading its shard of %d, since %s", o.Target, since)
	}
	others := "the switch"
	if late := o.Late(); len(late) > 0 {
		others = replicas(late)
	}
	return fmt.Sprintf("holds its shard of %d; waiting for %s, since %s", o.Target, others, since)
}

// replicas names replicas by their ordinals.
func replicas(ordinals []int) string {
	var names []string
	for _, n := range ordinals {
		names = append(names, strconv.Itoa(n))
	}
	if len(names) == 1 {
		return "replica " + names[0]
	}
	return "replicas " + list(names)
}

// plural returns a number and a noun that takes an s.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
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
