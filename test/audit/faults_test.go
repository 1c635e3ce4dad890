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

// timeline adds samples at chosen moments. Each sample takes 10 ms.
type timeline struct {
	tracker *tracker
	start   time.Time
	objects map[string]lifetime
}

func newTimeline() *timeline {
	return &timeline{tracker: newTracker(late), start: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		objects: map[string]lifetime{}}
}

func (f *timeline) at(t time.Duration) time.Time { return f.start.Add(t) }

// sample adds a sample at t in which the given replicas expose object x. It reports whether anything is wrong.
func (f *timeline) sample(t time.Duration, replicas ...string) bool {
	r := sample{start: f.at(t), end: f.at(t + 10*ms), exposedBy: map[string][]string{}}
	if len(replicas) > 0 {
		r.exposedBy["x"] = replicas
	}
	return f.tracker.add(r, f.objects)
}

// want compares all faults with those given, each in the form "What Certain Replica".
func (f *timeline) want(t *testing.T, faults ...string) {
	t.Helper()
	var got []string
	for _, fault := range f.tracker.end() {
		got = append(got, strings.Join([]string{fault.What, fault.Certain().String(), fault.Replica}, " "))
	}
	if strings.Join(got, ", ") != strings.Join(faults, ", ") {
		t.Errorf("got %q, want %q", got, faults)
	}
}

func TestObjectExposedOnceIsNoFault(t *testing.T) {
	f := newTimeline()
	f.objects["x"] = lifetime{created: f.at(-time.Hour)}
	for i, replica := range []string{"a", "a", "b", "b"} {
		if f.sample(time.Duration(i)*100*ms, replica) {
			t.Errorf("sample %d: got a fault, want none", i)
		}
	}
	f.want(t)
}

func TestFaultLastsFromEndOfFirstSampleToStartOfLast(t *testing.T) {
	f := newTimeline()
	f.objects["x"] = lifetime{created: f.at(-time.Hour)}
	f.sample(0, "a")
	f.sample(100 * ms)
	f.sample(200 * ms)
	f.sample(300 * ms)
	f.sample(400*ms, "b")
	f.want(t, "missing 190ms a")
}

func TestFaultInASingleSampleIsOnlyCounted(t *testing.T) {
	f := newTimeline()
	f.objects["x"] = lifetime{created: f.at(-time.Hour)}
	f.sample(0, "a")
	f.sample(100 * ms)
	f.sample(200*ms, "b")
	f.sample(300*ms, "a", "b")
	f.sample(400*ms, "b")
	f.want(t)
	if f.tracker.single != 2 {
		t.Errorf("got %d faults in a single sample, want 2", f.tracker.single)
	}
}

func TestDoubledAndThenMissingAreTwoFaults(t *testing.T) {
	f := newTimeline()
	f.objects["x"] = lifetime{created: f.at(-time.Hour)}
	f.sample(0, "a")
	f.sample(100*ms, "a", "b")
	f.sample(200*ms, "b", "a")
	f.sample(300 * ms)
	f.sample(400 * ms) // and to the end
	f.want(t, "doubled 90ms a", "missing 90ms b")
}

func TestNewObjectMayAppearWithinTheDelay(t *testing.T) {
	f := newTimeline()
	f.sample(0)
	f.objects["x"] = lifetime{created: f.at(50 * ms)}
	f.sample(100 * ms)
	f.sample(1000 * ms)
	f.sample(1100*ms, "a")
	f.want(t)
}

func TestNewObjectThatDoesNotAppearIsMissing(t *testing.T) {
	f := newTimeline()
	f.objects["x"] = lifetime{created: f.at(0)}
	for i := range 14 {
		f.sample(time.Duration(i) * 100 * ms)
	}
	f.want(t, "missing 190ms ") // from 1.1 s: the first sample more than a second after its creation
}

func TestDeletedObjectMayDisappearBeforeItsDeletionIsReceived(t *testing.T) {
	f := newTimeline()
	f.objects["x"] = lifetime{created: f.at(-time.Hour)}
	f.sample(0, "a")
	f.sample(100 * ms)
	f.sample(200 * ms)
	f.objects["x"] = lifetime{created: f.at(-time.Hour), deleted: f.at(250 * ms)}
	f.sample(300 * ms)
	f.want(t)
}

func TestObjectMissingLongBeforeItsDeletionIsAFault(t *testing.T) {
	f := newTimeline()
	f.objects["x"] = lifetime{created: f.at(-time.Hour)}
	for i := range 15 {
		f.sample(time.Duration(i) * 100 * ms)
	}
	f.objects["x"] = lifetime{created: f.at(-time.Hour), deleted: f.at(1450 * ms)}
	f.sample(1500 * ms)
	f.want(t, "missing 1.39s ")
}

func TestDeletedObjectThatStaysExposedIsAGhost(t *testing.T) {
	f := newTimeline()
	f.objects["x"] = lifetime{created: f.at(-time.Hour), deleted: f.at(0)}
	for i := range 14 {
		f.sample(time.Duration(i)*100*ms, "a")
	}
	f.want(t, "ghost 190ms a")
}

func TestObjectUnknownToTheClusterIsAGhostAfterTheDelay(t *testing.T) {
	f := newTimeline()
	for i := range 14 {
		f.sample(time.Duration(i)*100*ms, "a")
	}
	f.want(t, "ghost 190ms a") // from 1.1 s: the first sample more than a second after the first one with the object
}

func TestMovesBetweenReplicasAreCounted(t *testing.T) {
	f := newTimeline()
	f.objects["x"] = lifetime{created: f.at(-time.Hour)}
	for i, replicas := range [][]string{{"a"}, {"a", "b"}, {"b", "a"}, {"b"}, {"b"}, {}, {"b"}, {"c"}} {
		f.sample(time.Duration(i)*100*ms, replicas...)
	}
	if f.tracker.moved != 2 { // from a to b, and from b to c
		t.Errorf("got %d moves, want 2", f.tracker.moved)
	}
}

func TestCoverageIsTheLowestShareOfExposedObjects(t *testing.T) {
	f := newTimeline()
	f.objects["x"], f.objects["y"] = lifetime{created: f.at(-time.Hour)},
		lifetime{created: f.at(-time.Hour), deleted: f.at(-ms)}
	f.sample(0, "a")
	f.objects["y"], f.objects["z"] = lifetime{created: f.at(-time.Hour)}, lifetime{created: f.at(0)} // z is new
	f.sample(100*ms, "a")
	f.sample(200*ms, "a", "b")
	if f.tracker.coverage != 0.5 {
		t.Errorf("got coverage %v, want 0.5", f.tracker.coverage)
	}
}

func TestRestoredObjectCountsAsNew(t *testing.T) {
	f := newTimeline()
	f.objects["x"] = lifetime{created: f.at(-time.Hour)}
	f.sample(0, "a")
	f.objects["x"] = lifetime{created: f.at(-time.Hour), deleted: f.at(50 * ms)}
	f.sample(100 * ms)
	f.objects["x"] = lifetime{created: f.at(150 * ms)} // the backup had it
	f.sample(200 * ms)
	f.sample(300 * ms)
	f.sample(400*ms, "a")
	f.want(t)
}
