package watch

import (
	"testing"

	"github.com/statefleet/statefleet/internal/wire"
)

func TestVersionsAreComparedAsNumbers(t *testing.T) {
	t.Parallel()
	f := func(a, b string, want bool) {
		t.Helper()
		if got := older(a, b); got != want {
			t.Errorf("older(%q, %q) = %t, want %t", a, b, got, want)
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

func TestObjectRefNamesTheObject(t *testing.T) {
	t.Parallel()
	ref := newObjectRef(wire.Meta{Namespace: []byte("n"), Name: []byte("name"), UID: []byte("u-i-d")})
	if want := (ObjectRef{Namespace: "n", Name: "name", UID: "u-i-d"}); ref != want {
		t.Errorf("got %+v, want %+v", ref, want)
	}
}
