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

// film is rounds at chosen moments, each 10 ms long.
type film struct {
	tracker *tracker
	start   time.Time
	lives   map[string]life
}

func newFilm() *film {
	return &film{tracker: newTracker(late), start: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), lives: map[string]life{}}
}

func (f *film) at(t time.Duration) time.Time { return f.start.Add(t) }

// shot is a round at t in which object x is on the given pages.
func (f *film) shot(t time.Duration, pages ...string) bool {
	r := round{start: f.at(t), end: f.at(t + 10*ms), pages: map[string][]string{}}
	if len(pages) > 0 {
		r.pages["x"] = pages
	}
	return f.tracker.add(r, f.lives)
}

// want compares all faults, written as "what certain page".
func (f *film) want(t *testing.T, faults ...string) {
	t.Helper()
	var got []string
	for _, fault := range f.tracker.end() {
		got = append(got, strings.Join([]string{fault.What, fault.Certain().String(), fault.Page}, " "))
	}
	if strings.Join(got, ", ") != strings.Join(faults, ", ") {
		t.Errorf("got %q, want %q", got, faults)
	}
}

func TestAnObjectOnOnePageIsFine(t *testing.T) {
	f := newFilm()
	f.lives["x"] = life{came: f.at(-time.Hour)}
	for i, page := range []string{"a", "a", "b", "b"} {
		if f.shot(time.Duration(i)*100*ms, page) {
			t.Errorf("round %d finds fault", i)
		}
	}
	f.want(t)
}

func TestAGapLastsFromTheFirstRoundsEndToTheLastOnesStart(t *testing.T) {
	f := newFilm()
	f.lives["x"] = life{came: f.at(-time.Hour)}
	f.shot(0, "a")
	f.shot(100 * ms)
	f.shot(200 * ms)
	f.shot(300 * ms)
	f.shot(400*ms, "b")
	f.want(t, "missing 190ms a")
}

func TestOneRoundAloneProvesNothing(t *testing.T) {
	f := newFilm()
	f.lives["x"] = life{came: f.at(-time.Hour)}
	f.shot(0, "a")
	f.shot(100 * ms)
	f.shot(200*ms, "b")
	f.shot(300*ms, "a", "b")
	f.shot(400*ms, "b")
	f.want(t)
	if f.tracker.single != 2 {
		t.Errorf("%d such rounds counted, want 2", f.tracker.single)
	}
}

func TestTwoPagesAndThenNoneAreTwoFaults(t *testing.T) {
	f := newFilm()
	f.lives["x"] = life{came: f.at(-time.Hour)}
	f.shot(0, "a")
	f.shot(100*ms, "a", "b")
	f.shot(200*ms, "b", "a")
	f.shot(300 * ms)
	f.shot(400 * ms) // and to the end
	f.want(t, "doubled 90ms a", "missing 90ms b")
}

func TestANewObjectMayTakeAMoment(t *testing.T) {
	f := newFilm()
	f.shot(0)
	f.lives["x"] = life{came: f.at(50 * ms)}
	f.shot(100 * ms)
	f.shot(1000 * ms)
	f.shot(1100*ms, "a")
	f.want(t)
}

func TestANewObjectThatDoesNotComeIsMissing(t *testing.T) {
	f := newFilm()
	f.lives["x"] = life{came: f.at(0)}
	for i := range 14 {
		f.shot(time.Duration(i) * 100 * ms)
	}
	f.want(t, "missing 190ms ") // from 1.1 s, the first round more than a second after it came
}

func TestADeletedObjectMayLeaveBeforeItsEndIsHeardOf(t *testing.T) {
	f := newFilm()
	f.lives["x"] = life{came: f.at(-time.Hour)}
	f.shot(0, "a")
	f.shot(100 * ms)
	f.shot(200 * ms)
	f.lives["x"] = life{came: f.at(-time.Hour), gone: f.at(250 * ms)}
	f.shot(300 * ms)
	f.want(t)
}

func TestAGapLongBeforeTheDeletionCounts(t *testing.T) {
	f := newFilm()
	f.lives["x"] = life{came: f.at(-time.Hour)}
	for i := range 15 {
		f.shot(time.Duration(i) * 100 * ms)
	}
	f.lives["x"] = life{came: f.at(-time.Hour), gone: f.at(1450 * ms)}
	f.shot(1500 * ms)
	f.want(t, "missing 1.39s ")
}

func TestADeletedObjectThatStaysIsAGhost(t *testing.T) {
	f := newFilm()
	f.lives["x"] = life{came: f.at(-time.Hour), gone: f.at(0)}
	for i := range 14 {
		f.shot(time.Duration(i)*100*ms, "a")
	}
	f.want(t, "ghost 190ms a")
}

func TestAnObjectThatNobodyKnowsIsAGhostAfterAMoment(t *testing.T) {
	f := newFilm()
	for i := range 14 {
		f.shot(time.Duration(i)*100*ms, "a")
	}
	f.want(t, "ghost 190ms a") // from 1.1 s, the first round more than a second after the one that saw it first
}

func TestMovesBetweenPagesAreCounted(t *testing.T) {
	f := newFilm()
	f.lives["x"] = life{came: f.at(-time.Hour)}
	for i, pages := range [][]string{{"a"}, {"a", "b"}, {"b", "a"}, {"b"}, {"b"}, {}, {"b"}, {"c"}} {
		f.shot(time.Duration(i)*100*ms, pages...)
	}
	if f.tracker.moved != 2 { // from a to b, and from b to c
		t.Errorf("%d moves, want 2", f.tracker.moved)
	}
}

func TestCoverageIsTheLeastShareOfWhatMustBeThere(t *testing.T) {
	f := newFilm()
	f.lives["x"], f.lives["y"] = life{came: f.at(-time.Hour)}, life{came: f.at(-time.Hour), gone: f.at(-ms)}
	f.shot(0, "a")
	f.lives["y"], f.lives["z"] = life{came: f.at(-time.Hour)}, life{came: f.at(0)} // z is new
	f.shot(100*ms, "a")
	f.shot(200*ms, "a", "b")
	if f.tracker.coverage != 0.5 {
		t.Errorf("coverage %v, want 0.5", f.tracker.coverage)
	}
}

func TestARestoredObjectIsNewAgain(t *testing.T) {
	f := newFilm()
	f.lives["x"] = life{came: f.at(-time.Hour)}
	f.shot(0, "a")
	f.lives["x"] = life{came: f.at(-time.Hour), gone: f.at(50 * ms)}
	f.shot(100 * ms)
	f.lives["x"] = life{came: f.at(150 * ms)} // the backup had it
	f.shot(200 * ms)
	f.shot(300 * ms)
	f.shot(400*ms, "a")
	f.want(t)
}
