package audit

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Report is what an audit has found.
type Report struct {
	Samples int
	// Objects is how many objects were seen on pages, Moved how many times one was on the page of another replica than
	// before. An audit that has seen no object proves nothing.
	Objects, Moved int
	// Missing and Doubled are the faults outside of what is allowed, Ghosts objects that are not in the cluster any more.
	Missing, Doubled, Ghosts []Fault
	// WorstMissing and WorstDouble are the longest times of one object, allowed or not.
	WorstMissing, WorstDouble time.Duration
	// Gaps is the longest time that an object of each page was missing, by the name of the page.
	Gaps map[string]time.Duration
	// Coverage is the least share of the objects that were on a page in one sample.
	Coverage float64
	// Single is the number of faults that one sample alone has seen, which prove nothing; Slowest the longest time from one
	// sample to the next.
	Single  int
	Slowest time.Duration
}

// Allowance is what is no fault of the fleet.
type Allowance struct {
	// Doubled is how long an object may be on two pages at a hand-over.
	Doubled time.Duration

	// Unseen is how long after a kill the objects of the one that was killed may be missing.
	Unseen time.Duration

	// Absent tells whether the object with a UID may be missing from a moment on, because the only replica that can serve it
	// does not run. Nil if no object may be.
	Absent func(uid string, from time.Time) bool
}

// excuses tells whether an object may be missing as it was.
func (a Allowance) excuses(f Fault, kills []time.Time) bool {
	return a.Absent != nil && a.Absent(f.uid, f.From) ||
		slices.ContainsFunc(kills, func(kill time.Time) bool { return f.within(kill, a.Unseen) })
}

// judge sorts faults into those that are allowed and those that are not. Kills are the moments when a replica was killed.
func judge(faults []Fault, allow Allowance, kills []time.Time) Report {
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
			r.Gaps[f.Page] = max(r.Gaps[f.Page], f.Certain())
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

// Line is the one line of a scenario's result.
func (r Report) Line(scenario string) string {
	return fmt.Sprintf("scenario=%s missing=%d doubled=%d worst_missing_ms=%d worst_double_ms=%d samples=%d moved=%d coverage=%.2f",
		scenario, len(r.Missing), len(r.Doubled), r.WorstMissing.Milliseconds(), r.WorstDouble.Milliseconds(), r.Samples, r.Moved, r.Coverage)
}

// Details are some lines about faults that are not allowed, and how sharp the look was.
func (r Report) Details() string {
	lines := []string{fmt.Sprintf("objects seen: %d; moved to another page: %d times", r.Objects, r.Moved), fmt.Sprintf("seen by one sample alone: %d; from one sample to the next: at most %s", r.Single, r.Slowest.Round(time.Millisecond))}
	for _, page := range slices.Sorted(maps.Keys(r.Gaps)) {
		lines = append(lines, fmt.Sprintf("gap of %s: %s", page, r.Gaps[page].Round(time.Millisecond)))
	}
	return strings.Join(append(lines, group(slices.Concat(r.Missing, r.Doubled, r.Ghosts))...), "\n")
}

// group describes faults that began in the same sample on the same page by the longest of them.
func group(faults []Fault) (lines []string) {
	type row struct {
		page string
		from time.Time
		kind kind
	}
	longest, count := map[row]Fault{}, map[row]int{}
	for _, f := range faults {
		r := row{f.Page, f.From, f.kind}
		if count[r]++; f.To.After(longest[r].To) {
			longest[r] = f
		}
	}
	rows := slices.SortedFunc(maps.Keys(count), func(a, b row) int {
		return cmp.Or(a.from.Compare(b.from), strings.Compare(a.page, b.page), int(a.kind-b.kind))
	})
	for _, r := range rows {
		lines = append(lines, fmt.Sprintf("%d like %s", count[r], longest[r]))
	}
	return lines
}
