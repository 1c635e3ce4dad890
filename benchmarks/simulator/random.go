package simulator

import (
	"encoding/binary"
	"math/rand/v2"

	"k8s.io/apimachinery/pkg/types"
)

// newRandom returns the generator of all that looks random here: the same for
// the same seed, on every machine.
func newRandom(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0x5eed)) }

// newUIDs is newRandom for the uids that a cluster gives. They are not drawn from what
// a generator of the same seed draws from: sooner or later they would be its uids.
func newUIDs(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0x1d5)) }

// randomUID returns a version 4 UUID (RFC 9562), which uids of API objects are.
func randomUID(r *rand.Rand) types.UID {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], r.Uint64())
	binary.BigEndian.PutUint64(b[8:], r.Uint64())
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	const digits = "0123456789abcdef"
	text := make([]byte, 0, 36)
	for i, c := range b {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			text = append(text, '-')
		}
		text = append(text, digits[c>>4], digits[c&15])
	}
	return types.UID(text)
}

// suffixAlphabet has no vowels and nothing that is easily mistaken.
const suffixAlphabet = "bcdfghjklmnpqrstvwxz2456789"

// randomSuffix returns n letters and digits as the API server appends to
// generated names.
func randomSuffix(r *rand.Rand, n int) string {
	text := make([]byte, n)
	for i := range text {
		text[i] = suffixAlphabet[r.IntN(len(suffixAlphabet))]
	}
	return string(text)
}
