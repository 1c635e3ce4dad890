package store

import (
	"hash/crc32"
	"math/rand/v2"
	"testing"
)

func TestCRCOfConcatenation(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		text := make([]byte, rng.IntN(5000))
		for i := range text {
			text[i] = byte(rng.Uint32())
		}
		checkCRC(t, text, rng.IntN(len(text)+1), rng.IntN(len(text)+1))
	}
	const gigabytes = 5 << 30 // lengths above 32 bits
	equal(t, "factor of the sum of two lengths",
		crcFactorFor(gigabytes+3), crcMultiply(crcFactorFor(gigabytes), crcFactorFor(3)))
}

// checkCRC combines the CRCs of three parts of text.
func checkCRC(t *testing.T, text []byte, a, b int) {
	t.Helper()
	a, b = min(a, b), max(a, b)
	var got uint32
	for _, part := range [][]byte{text[:a], text[a:b], text[b:]} {
		got = crcCombine(got, crc32.ChecksumIEEE(part), crcFactorFor(len(part)))
	}
	if want := crc32.ChecksumIEEE(text); got != want {
		t.Errorf("%d bytes split at %d and %d: %#x, want %#x", len(text), a, b, got, want)
	}
}

func FuzzCRCCombine(f *testing.F) {
	f.Add([]byte("123456789"), 4, 7)
	f.Add([]byte{}, 0, 0)
	f.Add(make([]byte, 70_000), 1, 65_536)
	f.Fuzz(func(t *testing.T, text []byte, a, b int) {
		n := len(text) + 1
		checkCRC(t, text, int(uint(a)%uint(n)), int(uint(b)%uint(n)))
	})
}
