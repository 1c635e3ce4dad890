package audit

import (
	"fmt"
	"slices"
	"time"
)

// kind is what can be wrong with an object.
type kind int

const (
	fine    kind = iota
	missing      // in the cluster, and on no page
	doubled      // on more than one page
	ghost        // on a page, and not in the cluster
)

func (k kind) String() string { return [...]string{"fine", "missing", "doubled", "ghost"}[k] }

// round is one look at all pages at the same time.
type round struct {
	start, end time.Time
	pages      map[string][]string // the pages that each object is on
	unread     []error             // why pages could not be read
}

// Fault is one object that was wrong in one row of rounds.
type Fault struct {
	Object string
	What   string
	// Page is the page that the object was on before.
	Page string
	// From and To enclose the time of which it is certain: from the end of the first round of the row to the start of the
	// last, since each page is fetched at a moment of its own within the round. To is before From if it was one round.
	From, To time.Time

	kind kind
	uid  string // of the object, if the cluster has had it
}

// Certain is how long the fault lasted at least. It is 0 for what one round alone has seen: a page that was fetched before a
// change and another one that was fetched after it look the same.
func (f Fault) Certain() time.Duration { return max(0, f.To.Sub(f.From)) }

func (f Fault) String() string {
	return fmt.Sprintf("%s %s for %s from %s (was on the page of %s)", f.Object, f.What, f.Certain().Round(time.Millisecond), f.From.Format("15:04:05.000"), f.Page)
}

// tracker turns rounds into faults.
type tracker struct {
	late   time.Duration // how long a change may take to the pages
	states map[string]*state
	faults []Fault
	single int // faults of one round
	seen   map[string]bool

	moved    int     // times that an object was on another page than before
	coverage float64 // the least share of the objects that were on a page in one round; 1 before the first
}

// state is what is known of one object.
type state struct {
	page    string    // that it was last on
	seen    time.Time // when it was there
	owner   string    // the page that it was last alone on
	strange time.Time
	open    Fault
}

func newTracker(late time.Duration) *tracker {
	return &tracker{late: late, states: map[string]*state{}, seen: map[string]bool{}, coverage: 1}
}

// add takes the next round, and the objects of the cluster after it. It tells whether anything is wrong.
func (t *tracker) add(r round, lives map[string]life) (wrong bool) {
	for key := range r.pages {
		if t.states[key] == nil {
			t.states[key] = &state{}
		}
	}
	for key := range lives {
		if t.states[key] == nil {
			t.states[key] = &state{}
		}
	}
	t.cover(r, lives)
	for key, s := range t.states {
		l, known := lives[key]
		now := t.judge(s, l, known, r, r.pages[key])
		if s.open.kind != fine && s.open.kind != now {
			t.close(s, l)
		}
		if now != fine {
			if s.open.kind == fine {
				s.open = Fault{Object: key, What: now.String(), Page: s.page, From: r.end, kind: now, uid: l.uid}
			}
			s.open.To = r.start
			wrong = true
		}
		switch pages := r.pages[key]; {
		case len(pages) > 0:
			t.seen[key] = true
			s.page, s.seen = pages[0], r.end
			t.count(s, pages)
		case !known:
			delete(t.states, key)
		}
	}
	return wrong
}

// count notes when an object has gone from one page to another.
func (t *tracker) count(s *state, pages []string) {
	if len(pages) > 1 || s.owner == pages[0] {
		return
	}
	if s.owner != "" {
		t.moved++
	}
	s.owner = pages[0]
}

// cover notes the share of the objects that are on a page, of those that have had the time to get there.
func (t *tracker) cover(r round, lives map[string]life) {
	all, on := 0, 0
	for key, l := range lives {
		if !l.gone.IsZero() || r.start.Sub(l.came) <= t.late {
			continue
		}
		all++
		if len(r.pages[key]) > 0 {
			on++
		}
	}
	if all > 0 {
		t.coverage = min(t.coverage, float64(on)/float64(all))
	}
}

// judge says what is wrong with an object in a round. What changed within the last moments may be on the pages or not.
func (t *tracker) judge(s *state, l life, known bool, r round, pages []string) kind {
	gone := known && !l.gone.IsZero()
	if known {
		s.strange = time.Time{}
	} else if s.strange.IsZero() {
		s.strange = r.end
	}
	switch {
	case len(pages) > 1:
		return doubled
	case len(pages) == 1 && (gone && r.start.Sub(l.gone) > t.late || !known && r.start.Sub(s.strange) > t.late):
		return ghost
	case len(pages) == 0 && known && !gone && (s.seen.After(l.came) || r.start.Sub(l.came) > t.late):
		return missing
	}
	return fine
}

// close ends the open fault of an object. A deleted object may leave the page before its end is received here.
func (t *tracker) close(s *state, l life) {
	f := s.open
	s.open = Fault{}
	if f.kind == missing && !l.gone.IsZero() && l.gone.Sub(f.From) < t.late {
		return
	}
	if f.Certain() == 0 {
		t.single++
		return
	}
	t.faults = append(t.faults, f)
}

// end closes what is open, and returns all faults in the order of their times.
func (t *tracker) end() []Fault {
	for _, s := range t.states {
		if s.open.kind != fine {
			t.close(s, life{})
		}
	}
	slices.SortFunc(t.faults, func(a, b Fault) int { return a.From.Compare(b.From) })
	return t.faults
}
