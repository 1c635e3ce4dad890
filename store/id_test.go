package store

import (
	"crypto/sha256"
	"testing"
)

func TestNewID(t *testing.T) {
	hashed := func(text string) ID { // of the parts, each preceded by its length
		sum := sha256.Sum256([]byte(text))
		return ID(sum[:16])
	}
	for _, test := range []struct {
		uid, namespace, name string
		want                 ID
	}{
		{"00112233-4455-6677-8899-aabbccddeeff", "ns", "name",
			ID{0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}},
		{"00112233-4455-6677-8899-AABBCCDDEEFF", "ns", "name", hashed("\x2400112233-4455-6677-8899-AABBCCDDEEFF\x02ns\x04name")},
		{"0011223344556677-8899-aabbccddeeff--", "ns", "name", hashed("\x240011223344556677-8899-aabbccddeeff--\x02ns\x04name")},
		{"00112233-4455-6677-8899-aabbccddeefg", "ns", "name", hashed("\x2400112233-4455-6677-8899-aabbccddeefg\x02ns\x04name")},
		{"short", "ns", "name", hashed("\x05short\x02ns\x04name")},
		{"", "ns", "name", hashed("\x00\x02ns\x04name")},
		{"", "", "name", hashed("\x00\x00\x04name")},
		{"", "", "", hashed("\x00\x00\x00")},
	} {
		equal(t, "NewID of "+test.uid, NewID(test.uid, test.namespace, test.name), test.want)
		equal(t, "NewID of the bytes of "+test.uid, NewID([]byte(test.uid), []byte(test.namespace), []byte(test.name)), test.want)
	}
}

func TestNewIDDoesNotAllocate(t *testing.T) {
	uid, namespace, name := []byte("00112233-4455-6677-8899-aabbccddeeff"), []byte("ns"), []byte("name")
	equal(t, "allocations with a UID", testing.AllocsPerRun(100, func() { NewID(uid, namespace, name) }), 0)
	equal(t, "allocations without a UID", testing.AllocsPerRun(100, func() { NewID(nil, namespace, name) }), 0)
}

// If an API lets users choose UIDs, one user must not be able to replace the objects of another in
// the exposition.
func TestHashedIDDiffersForObjectsWithTheSameUID(t *testing.T) {
	const uid = "00112233-4455-6677-8899-aabbccddeeff"
	seen := map[ID][3]string{}
	for _, o := range [][3]string{
		{uid, "ns", "a"}, {uid, "ns", "b"}, {uid, "nsa", ""}, {uid, "n", "sa"}, {"", uid, "a"}, {"", "ns", "a"},
	} {
		id := HashedID(o[0], o[1], o[2])
		if other, is := seen[id]; is {
			t.Errorf("%q and %q have the same ID", o, other)
		}
		seen[id] = o
		equal(t, "HashedID of bytes", HashedID([]byte(o[0]), []byte(o[1]), []byte(o[2])), id)
	}
}

func FuzzNewID(f *testing.F) {
	f.Add("00112233-4455-6677-8899-aabbccddeeff", "00112233-4455-6677-8899-aabbccddeefe")
	f.Add("a", "A")
	f.Fuzz(func(t *testing.T, a, b string) {
		if got, want := NewID(a, "n", "m"), NewID([]byte(a), []byte("n"), []byte("m")); got != want {
			t.Errorf("NewID of a string %s, of bytes %s", got, want)
		}
		if a != b && NewID(a, "", "") == NewID(b, "", "") {
			t.Errorf("%q and %q have the same ID", a, b)
		}
	})
}
