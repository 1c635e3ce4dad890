package audit

import (
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	ms   = time.Millisecond
	late = time.Second
)

// life has the times at which the cluster reports that object x was created, deleted, and created again. 0: never.
type life struct{ created, deleted, again time.Duration }

// at returns the objects of the cluster at a moment after start.
func (l life) at(start time.Time, t time.Duration) map[string]lifetime {
	var x lifetime
	switch {
	case l.again != 0 && t >= l.again:
		x.created = start.Add(l.again)
	case l.created != 0 && t >= l.created:
		x.created = start.Add(l.created)
		if l.deleted != 0 && t >= l.deleted {
			x.deleted = start.Add(l.deleted)
		}
	default:
		return nil
	}
	return map[string]lifetime{"x": x}
}

// TestFaultsOfOneObject adds samples that begin every 100 ms and take 10 ms. Each has the names of the replicas that
// expose object x. Samples are separated by commas. A fault has the form "What Certain Replica".
func TestFaultsOfOneObject(t *testing.T) {
	exists, never, always := life{created: -time.Hour}, strings.Repeat(",", 13), strings.Repeat("a,", 13)+"a"
	for _, c := range []struct {
		name    string
		x       life
		samples string
		faults  string
		wrong   int // number of samples in which something is wrong
		single  int // number of faults in a single sample
		moved   int
	}{
		{name: "exposed once", x: exists, samples: "a,a,b,b", moved: 1},
		{name: "from the end of the first sample to the start of the last", x: exists, samples: "a,,,,b", faults: "missing 190ms a", wrong: 3, moved: 1},
		{name: "in a single sample: only counted", x: exists, samples: "a,,b,ab,b", wrong: 2, single: 2, moved: 1},
		{name: "doubled, then missing to the end", x: exists, samples: "a,ab,ba,,", faults: "doubled 90ms a, missing 90ms b", wrong: 4},
		{name: "moved, doubled meanwhile", x: exists, samples: "a,ab,ba,b,b,,b,c", faults: "doubled 90ms a", wrong: 3, single: 1, moved: 2},
		{name: "new, appears within the delay", x: life{created: 50 * ms}, samples: strings.Repeat(",", 11) + "a"},
		// From 1.1 s: the first sample more than a second after its creation.
		{name: "new, is never exposed", x: life{created: ms}, samples: never, faults: "missing 190ms ", wrong: 3},
		{name: "disappears before its deletion is received", x: life{created: -time.Hour, deleted: 250 * ms}, samples: "a,,,", wrong: 2},
		{
			name: "missing long before its deletion", x: life{created: -time.Hour, deleted: 1450 * ms},
			samples: strings.Repeat(",", 15), faults: "missing 1.39s ", wrong: 15,
		},
		{name: "deleted, stays", x: life{created: -time.Hour, deleted: ms}, samples: always, faults: "ghost 190ms a", wrong: 3},
		// From 1.1 s: the first sample more than a second after the first one with the object.
		{name: "unknown to the cluster", samples: always, faults: "ghost 190ms a", wrong: 3},
		{name: "restored from a backup, counts as new", x: life{created: -time.Hour, deleted: 50 * ms, again: 150 * ms}, samples: "a,,,,a"},
	} {
		tracker, start, wrong := newTracker(late), time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), 0
		for i, replicas := range strings.Split(c.samples, ",") {
			began := time.Duration(i) * 100 * ms
			r := sample{start: start.Add(began), end: start.Add(began + 10*ms), exposedBy: map[string][]string{}}
			if replicas != "" {
				r.exposedBy["x"] = strings.Split(replicas, "")
			}
			if tracker.add(r, c.x.at(start, began)) {
				wrong++
			}
		}
		var got []string
		for _, fault := range tracker.end() {
			got = append(got, strings.Join([]string{fault.What, fault.Certain().String(), fault.Replica}, " "))
		}
		if faults := strings.Join(got, ", "); faults != c.faults || wrong != c.wrong || tracker.single != c.single || tracker.moved != c.moved {
			t.Errorf("%s: got faults %q, %d samples with one, %d in a single sample, %d moves; want %q, %d, %d, %d",
				c.name, faults, wrong, tracker.single, tracker.moved, c.faults, c.wrong, c.single, c.moved)
		}
	}
}

func TestCoverageIsTheLowestShareOfExposedObjects(t *testing.T) {
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	tracker, old := newTracker(late), lifetime{created: start.Add(-time.Hour)}
	deleted := lifetime{created: start.Add(-time.Hour), deleted: start.Add(-ms)}
	for _, objects := range []map[string]lifetime{
		{"x": old, "y": deleted},
		{"x": old, "y": old, "z": {created: start}}, // z is new
	} {
		tracker.add(sample{start: start, end: start, exposedBy: map[string][]string{"x": {"a"}}}, objects)
	}
	if tracker.coverage != 0.5 {
		t.Errorf("got coverage %v, want 0.5", tracker.coverage)
	}
}
