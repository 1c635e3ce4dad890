package watch

import (
	"maps"
	"testing"

	"github.com/statefleet/statefleet/internal/wire"
)

func TestVersionsAreComparedAsNumbers(t *testing.T) {
	t.Parallel()
	f := func(a, b string, want bool) {
		t.Helper()
		if got := older(a, b); got != want {
			t.Errorf("%q is older than %q: %t, want %t", a, b, got, want)
		}
	}
	f("1", "2", true)
	f("9", "10", true)
	f("2", "2", false)
	f("3", "2", false)
	f("", "2", false)
	f("0", "2", false)
	f("a", "2", false)
	f("1", "a", false)
}

// What was so in both looks counts; what an event has brought in between does not.
func TestDifferencesCountWhatStays(t *testing.T) {
	t.Parallel()
	f := func(name string, first, again differences, missing, surplus int) {
		t.Helper()
		if m, s := again.since(first); m != missing || s != surplus {
			t.Errorf("%s: %d missing and %d surplus, want %d and %d", name, m, s, missing, surplus)
		}
	}
	lags := func(listed, held uint64) differences {
		return differences{missing: map[string]lag{"a": {listed, held}}}
	}
	held := func(version uint64) differences { return differences{surplus: map[string]uint64{"a": version}} }
	f("nothing", differences{}, differences{}, 0, 0)
	f("still missing", lags(5, 0), lags(5, 0), 1, 0)
	f("still at an older version", lags(5, 4), lags(7, 4), 1, 0)
	f("at the version of the first look by now", lags(5, 4), lags(7, 5), 0, 0)
	f("beyond the version of the first look", lags(5, 4), lags(7, 6), 0, 0)
	f("without versions", lags(0, 0), lags(0, 0), 1, 0)
	f("missing no more", lags(5, 0), differences{}, 0, 0)
	f("missing only now", differences{}, lags(5, 0), 0, 0)
	f("still held", held(3), held(3), 0, 1)
	f("another version is held", held(3), held(4), 0, 0)
	f("held no more", held(3), differences{}, 0, 0)
}

func TestDifferencesThatAreNone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		d    differences
		none bool
	}{
		"nothing": {differences{}, true},
		"missing": {differences{missing: map[string]lag{"a": {}}}, false},
		"surplus": {differences{surplus: map[string]uint64{"a": 1}}, false},
		"older":   {differences{older: true}, false},
		"as many missing as surplus": {
			differences{missing: map[string]lag{"a": {}}, surplus: map[string]uint64{"b": 1}}, false,
		},
	} {
		if got := c.d.none(); got != c.none {
			t.Errorf("%s: none %t, want %t", name, got, c.none)
		}
	}
}

// nowhere is a Handler that has room for some names only.
type nowhere map[string]bool

func (n nowhere) Put(o Object) bool           { return n[string(o.Name)] }
func (n nowhere) Delete(Object)               {}
func (n nowhere) Replace([]ObjectRef, string) {}

func TestLedgerKnowsWhatIsHeldAndTheNewestVersion(t *testing.T) {
	t.Parallel()
	l := &ledger{Handler: nowhere{"a": true, "b": true}, versions: map[string]uint64{}}
	object := func(name, version string) Object {
		return Object{Meta: wire.Meta{Name: []byte(name), ResourceVersion: []byte(version)}}
	}
	f := func(when string, newest uint64, want map[string]uint64) {
		t.Helper()
		if got, at := l.now(); !maps.Equal(got, want) || at != newest {
			t.Errorf("%s: %v, newest %d; want %v, newest %d", when, got, at, want, newest)
		}
	}
	if !l.Put(object("a", "7")) {
		t.Error("the answer of the sink is not passed on")
	}
	l.Put(object("b", "5"))
	f("two objects", 7, map[string]uint64{"a": 7, "b": 5})
	l.Delete(object("b", "9"))
	f("one deleted", 9, map[string]uint64{"a": 7})
	l.Put(object("a", "garbage"))
	f("a version that is no number", 9, map[string]uint64{"a": 0})
	l.Put(object("b", "10"))
	l.Replace([]ObjectRef{{Name: "b"}}, "11")
	f("a list", 10, map[string]uint64{"b": 10})
}

func TestObjectRefNamesTheObject(t *testing.T) {
	t.Parallel()
	ref := newObjectRef(wire.Meta{Namespace: []byte("n"), Name: []byte("name"), UID: []byte("u-i-d")})
	if want := (ObjectRef{Namespace: "n", Name: "name", UID: "u-i-d"}); ref != want {
		t.Errorf("got %+v", ref)
	}
}
