package store

import (
	"slices"
	"testing"
)

// Without a key, a user could construct a text with the fingerprint of another one, and the old
// text would stay in the exposition.
func TestFingerprintsHaveARandomKey(t *testing.T) {
	l := &Lines{Buf: []byte("a 1\n"), Ends: []int{4}}
	a, b := New(make([]Family, 1), nil), New(make([]Family, 1), nil)
	if first, again := a.appendFingerprints(nil, l), a.appendFingerprints(nil, l); !slices.Equal(first, again) {
		t.Errorf("fingerprints of the same text: %x and %x", first, again)
	}
	if of, other := a.appendFingerprints(nil, l), b.appendFingerprints(nil, l); slices.Equal(of, other) {
		t.Errorf("two stores have the same fingerprints for a text: %x", of)
	}
}
