package audit

import (
	"fmt"
	"slices"
	"time"
)

// faultKind is what can be wrong with an object.
type faultKind int

const (
	fine    faultKind = iota
	missing           // in the cluster, and in no exposition
	doubled           // in more than one exposition
	ghost             // in an exposition, and not in the cluster
)

func (k faultKind) String() string { return [...]string{"fine", "missing", "doubled", "ghost"}[k] }

// sample is one concurrent fetch of all expositions.
type sample struct {
	start, end time.Time
	exposedBy  map[string][]string // names of the replicas that expose each object, by key
	unread     []error             // why expositions could not be read
}

// Fault is one object that was wrong in consecutive samples.
type Fault struct {
	Object string
	What   string
	// Replica is the name of the replica that exposed the object before.
	Replica string
	// From and To enclose the time in which the fault is certain. From is the end of the first sample and To the start of
	// the last one, because a sample fetches each exposition at a different moment. To is before From for a single sample.
	From, To time.Time

	kind faultKind
	uid  string // of the object, if the cluster has had it
}

// Certain returns how long the fault lasted at least. It is 0 for a fault in a single sample, which may only mean that
// the sample fetched one exposition before a change and another one after it.
func (f Fault) Certain() time.Duration { return max(0, f.To.Sub(f.From)) }

func (f Fault) String() string {
	return fmt.Sprintf("%s %s for %s from %s (was exposed by %s)", f.Object, f.What, f.Certain().Round(time.Millisecond), f.From.Format("15:04:05.000"), f.Replica)
}

// tracker finds faults in a series of samples.
type tracker struct {
	late   time.Duration // Options.Late
	states map[string]*state
	faults []Fault
	single int // faults in a single sample
	seen   map[string]bool

	moved    int     // how often an object was exposed by another replica than before
	coverage float64 // lowest share of the objects that were exposed in one sample; 1 before the first
}

// state is the state of one object across samples.
type state struct {
	replica      string    // replica that exposed it last
	seen         time.Time // when it was last exposed
	owner        string    // replica that last exposed it alone
	unknownSince time.Time // when it was first exposed without being in the cluster; zero if it is there
	open         Fault     // fault that lasts
}

func newTracker(late time.Duration) *tracker {
	return &tracker{late: late, states: map[string]*state{}, seen: map[string]bool{}, coverage: 1}
}

// add adds a sample, and the objects of the cluster after it. It reports whether anything is wrong.
func (t *tracker) add(r sample, objects map[string]lifetime) (wrong bool) {
	for key := range r.exposedBy {
		if t.states[key] == nil {
			t.states[key] = &state{}
		}
	}
	for key := range objects {
		if t.states[key] == nil {
			t.states[key] = &state{}
		}
	}
	t.cover(r, objects)
	for key, s := range t.states {
		l, known := objects[key]
		now := t.classify(s, l, known, r, r.exposedBy[key])
		if s.open.kind != fine && s.open.kind != now {
			t.close(s, l)
		}
		if now != fine {
			if s.open.kind == fine {
				s.open = Fault{Object: key, What: now.String(), Replica: s.replica, From: r.end, kind: now, uid: l.uid}
			}
			s.open.To = r.start
			wrong = true
		}
		switch replicas := r.exposedBy[key]; {
		case len(replicas) > 0:
			t.seen[key] = true
			s.replica, s.seen = replicas[0], r.end
			t.count(s, replicas)
		case !known:
			delete(t.states, key)
		}
	}
	return wrong
}

// count counts an object that has moved from one replica to another.
func (t *tracker) count(s *state, replicas []string) {
	if len(replicas) > 1 || s.owner == replicas[0] {
		return
	}
	if s.owner != "" {
		t.moved++
	}
	s.owner = replicas[0]
}

// cover updates the coverage. Objects that were created less than t.late ago do not count.
func (t *tracker) cover(r sample, objects map[string]lifetime) {
	all, exposed := 0, 0
	for key, l := range objects {
		if !l.deleted.IsZero() || r.start.Sub(l.created) <= t.late {
			continue
		}
		all++
		if len(r.exposedBy[key]) > 0 {
			exposed++
		}
	}
	if all > 0 {
		t.coverage = min(t.coverage, float64(exposed)/float64(all))
	}
}

// classify returns what is wrong with an object in a sample. A change within the last t.late may be exposed or not.
func (t *tracker) classify(s *state, l lifetime, known bool, r sample, replicas []string) faultKind {
	deleted := known && !l.deleted.IsZero()
	if known {
		s.unknownSince = time.Time{}
	} else if s.unknownSince.IsZero() {
		s.unknownSince = r.end
	}
	switch {
	case len(replicas) > 1:
		return doubled
	case len(replicas) == 1 && (deleted && r.start.Sub(l.deleted) > t.late || !known && r.start.Sub(s.unknownSince) > t.late):
		return ghost
	case len(replicas) == 0 && known && !deleted && (s.seen.After(l.created) || r.start.Sub(l.created) > t.late):
		return missing
	}
	return fine
}

// close ends the open fault of an object. It ignores that a deleted object left the exposition before its deletion was
// received here.
func (t *tracker) close(s *state, l lifetime) {
	f := s.open
	s.open = Fault{}
	if f.kind == missing && !l.deleted.IsZero() && l.deleted.Sub(f.From) < t.late {
		return
	}
	if f.Certain() == 0 {
		t.single++
		return
	}
	t.faults = append(t.faults, f)
}

// end closes all open faults, and returns all faults in the order of their start.
func (t *tracker) end() []Fault {
	for _, s := range t.states {
		if s.open.kind != fine {
			t.close(s, lifetime{})
		}
	}
	slices.SortFunc(t.faults, func(a, b Fault) int { return a.From.Compare(b.From) })
	return t.faults
}
