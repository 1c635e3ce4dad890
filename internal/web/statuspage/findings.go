package statuspage

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Finding is something that a reader of the page must see first.
type Finding struct {
	Level Level  `json:"level"`
	Text  string `json:"text"`
}

// Level is how much a finding matters.
type Level string

// The levels.
const (
	Problem Level = "problem" // something is missing from the page of metrics, or may be
	Note    Level = "note"    // all is well, but not as usual
)

// How long may pass before it is worth a word.
const (
	quietWatch  = 5 * time.Minute // bookmarks come about once a minute
	quietScrape = 5 * time.Minute
	longChange  = 5 * time.Minute
)

// findings says what is not as usual, the worst first.
func (o Overview) findings() []Finding {
	all := slices.Concat(o.ofReplica(), o.ofKinds(), o.ofFleet(), o.ofScrapes())
	slices.SortStableFunc(all, func(a, b Finding) int { return strings.Compare(string(b.Level), string(a.Level)) }) // "problem" before "note"
	return all
}

func problem(format string, args ...any) Finding {
	return Finding{Problem, fmt.Sprintf(format, args...)}
}
func note(format string, args ...any) Finding { return Finding{Note, fmt.Sprintf(format, args...)} }

func (o Overview) ofReplica() (all []Finding) {
	r := o.Replica
	switch {
	case !r.Ready:
		all = append(all, problem("This replica is not ready: %s.", r.Reason))
	case !r.Serving:
		all = append(all, note("This replica is ready and does not serve: %s.", r.Reason))
	}
	if r.Covers {
		all = append(all, note("This replica serves the shard of the one before it as well."))
	}
	if r.WebConfigRefused {
		all = append(all, note("The web configuration file was refused; the former one is in use. The log says why."))
	}
	return all
}

func (o Overview) ofKinds() (all []Finding) {
	var names []string
	for _, phase := range []struct{ name, text string }{
		{"forbidden", "The API server does not let it read %s."},
		{"absent", "The API server does not have %s."},
		{"pending", "Not listed yet: %s."},
	} {
		names = names[:0]
		for _, k := range o.Kinds {
			if k.Phase == phase.name {
				names = append(names, k.Name)
			}
		}
		if len(names) > 0 && (phase.name != "pending" || o.Replica.Ready) { // else they are the reason
			all = append(all, problem(phase.text, list(names)))
		}
	}
	names = names[:0]
	for _, k := range o.Kinds {
		if k.Truncated > 0 {
			names = append(names, fmt.Sprintf("%s (%d)", k.Name, k.Truncated))
		}
	}
	if len(names) > 0 {
		all = append(all, problem("Metric families are left out of objects whose text would exceed --object-bytes-limit: %s.", list(names)))
	}
	names = names[:0]
	for _, k := range o.Kinds {
		if k.Phase == Synced && !k.Heard.IsZero() && o.At.Sub(k.Heard) > quietWatch {
			names = append(names, k.Name)
		}
	}
	if len(names) > 0 {
		all = append(all, problem("Nothing was heard for more than %s of %s.", lasting(quietWatch), list(names)))
	}
	return all
}

func (o Overview) ofFleet() (all []Finding) {
	f := o.Fleet
	if f.Followed && f.Active > 0 && !f.Coordinated {
		all = append(all, problem("The fleet does not change over together. Its topology cannot be used: %s.", f.Problem))
	}
	if f.StandbyAsked && f.Active > 1 && !f.Standby {
		all = append(all, problem("No replica stands by for another: the fleet's pods cannot be read."))
	}
	if f.Followed && f.Active > 0 && f.Wanted > 0 && f.Target == 0 && f.Active != f.Wanted {
		all = append(all, problem("The fleet serves by %d shards, the StatefulSet asks for %d, and no change is prepared.", f.Active, f.Wanted))
	}
	if f.Target != 0 {
		text := note
		if !f.Since.IsZero() && o.At.Sub(f.Since) > longChange {
			text = problem
		}
		all = append(all, text("The fleet moves from %d to %d shards, since %s. %s", f.Active, f.Target, lasting(o.At.Sub(f.Since)), f.waitsFor()))
	}
	for _, m := range f.Members {
		switch {
		case m.State == PodUnknown || m.Ordinal >= f.Active:
		case m.Server < 0:
			all = append(all, problem("No replica serves shard %d: pod %s is %s.", m.Ordinal, m.Pod, m.State))
		case m.Server != m.Ordinal:
			all = append(all, note("Replica %d serves shard %d: pod %s is %s.", m.Server, m.Ordinal, m.Pod, m.State))
		}
	}
	return all
}

// waitsFor says what a change waits for.
func (f Fleet) waitsFor() string {
	var late []string
	for _, m := range f.Members {
		if m.Ordinal < f.Target && !m.Holds {
			late = append(late, fmt.Sprint(m.Ordinal))
		}
	}
	switch {
	case !f.SwitchAt.IsZero():
		return fmt.Sprintf("It changes over at %s.", clock(f.SwitchAt))
	case len(late) == 1:
		return fmt.Sprintf("It waits for replica %s.", late[0])
	case len(late) > 0:
		return fmt.Sprintf("It waits for the replicas %s.", list(late))
	}
	return "All hold their part."
}

func (o Overview) ofScrapes() []Finding {
	last := o.Scrapes.Last
	switch {
	case last.At.IsZero() || !o.Replica.Serving:
		return nil
	case !last.Whole:
		return []Finding{problem("The last scrape was not read to its end.")}
	case o.At.Sub(last.At) > quietScrape:
		return []Finding{problem("The last scrape was %s.", o.Age(last.At))}
	}
	return nil
}

// list joins names, the first dozen of them.
func list(names []string) string {
	const most = 12
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
