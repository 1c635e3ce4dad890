package audit

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Report is the result of an audit.
type Report struct {
	Samples int
	// Objects is the number of objects that were exposed at any time. An audit without objects proves nothing. Moved is
	// how often an object was exposed by another replica than before.
	Objects, Moved int
	// Missing and Doubled are the faults that are not allowed. Ghosts are exposed objects that the cluster does not have.
	Missing, Doubled, Ghosts []Fault
	// WorstMissing and WorstDouble are the longest times that one object was missing or doubled, allowed or not.
	WorstMissing, WorstDouble time.Duration
	// Gaps is the longest time that an object of each replica was missing, by the name of the replica.
	Gaps map[string]time.Duration
	// Coverage is the lowest share of the objects that were exposed in one sample, from 0 to 1.
	Coverage float64
	// Single is the number of faults in a single sample, which prove nothing. Slowest is the longest time from one sample
	// to the next.
	Single  int
	Slowest time.Duration
}

// Allowance describes what does not count as a fault of the fleet.
type Allowance struct {
	// Doubled is how long two replicas may expose an object at a switch.
	Doubled time.Duration

	// Unseen is how long objects may be missing after a replica was killed.
	Unseen time.Duration

	// Absent reports whether the object with a UID may be missing from a moment on, because the only replica that can
	// serve it does not run. Nil: no object may be missing for this reason.
	Absent func(uid string, from time.Time) bool
}

// excuses reports whether a missing object is allowed.
func (a Allowance) excuses(f Fault, kills []time.Time) bool {
	return a.Absent != nil && a.Absent(f.uid, f.From) ||
		slices.ContainsFunc(kills, func(kill time.Time) bool { return f.within(kill, a.Unseen) })
}

// newReport reports the faults that are not allowed. Kills are the times at which a replica was killed.
func newReport(faults []Fault, allow Allowance, kills []time.Time) Report {
	r := Report{Gaps: map[string]time.Duration{}}
	for _, f := range faults {
		switch f.kind {
		case doubled:
			r.WorstDouble = max(r.WorstDouble, f.Certain())
			if f.Certain() > allow.Doubled {
				r.Doubled = append(r.Doubled, f)
			}
		case missing:
			r.WorstMissing = max(r.WorstMissing, f.Certain())
			r.Gaps[f.Replica] = max(r.Gaps[f.Replica], f.Certain())
			if !allow.excuses(f, kills) {
				r.Missing = append(r.Missing, f)
			}
		case ghost:
			r.Ghosts = append(r.Ghosts, f)
		}
	}
	return r
}

func (f Fault) within(kill time.Time, window time.Duration) bool {
	return f.From.After(kill) && !f.To.After(kill.Add(window))
}

// Line returns the result of a scenario in one line.
func (r Report) Line(scenario string) string {
	return fmt.Sprintf("scenario=%s missing=%d doubled=%d worst_missing_ms=%d worst_double_ms=%d samples=%d moved=%d coverage=%.2f",
		scenario, len(r.Missing), len(r.Doubled), r.WorstMissing.Milliseconds(), r.WorstDouble.Milliseconds(), r.Samples, r.Moved, r.Coverage)
}

// Details returns lines about the faults that are not allowed, and about the resolution of the samples.
func (r Report) Details() string {
	lines := []string{fmt.Sprintf("objects: %d; moves to another replica: %d", r.Objects, r.Moved), fmt.Sprintf("faults in a single sample: %d; longest time between two samples: %s", r.Single, r.Slowest.Round(time.Millisecond))}
	for _, replica := range slices.Sorted(maps.Keys(r.Gaps)) {
		lines = append(lines, fmt.Sprintf("gap of %s: %s", replica, r.Gaps[replica].Round(time.Millisecond)))
	}
	return strings.Join(append(lines, group(slices.Concat(r.Missing, r.Doubled, r.Ghosts))...), "\n")
}

// group describes the faults that began in the same sample at the same replica by the longest one.
func group(faults []Fault) (lines []string) {
	type row struct {
		replica string
		from    time.Time
		kind    faultKind
	}
	longest, count := map[row]Fault{}, map[row]int{}
	for _, f := range faults {
		r := row{f.Replica, f.From, f.kind}
		if count[r]++; f.To.After(longest[r].To) {
			longest[r] = f
		}
	}
	rows := slices.SortedFunc(maps.Keys(count), func(a, b row) int {
		return cmp.Or(a.from.Compare(b.from), strings.Compare(a.replica, b.replica), int(a.kind-b.kind))
	})
	for _, r := range rows {
		lines = append(lines, fmt.Sprintf("%d like %s", count[r], longest[r]))
	}
	return lines
}
