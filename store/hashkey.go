package store

import (
	"crypto/rand"
	"encoding/binary"
	"math/bits"
)

// HashKey is the secret key of a hash of text that users choose. The hash is a polynomial over the
// prime 2^61-1 whose variable is the key. For any two texts of n bytes that were chosen without
// knowledge of the key, the probability of equal hashes is at most n/7 in 2^61. It differs from
// hash/maphash in that the key can be saved and restored.
type HashKey struct {
	powers [4]uint64 // first to fourth power of the key
}

const prime61 = 1<<61 - 1

// NewHashKey returns a random key.
func NewHashKey() HashKey {
	var seed [8]byte
	_, _ = rand.Read(seed[:]) // never fails; see crypto/rand
	return RestoreHashKey(binary.LittleEndian.Uint64(seed[:]))
}

// RestoreHashKey returns the key whose Uint64 method returned the number.
func RestoreHashKey(number uint64) (k HashKey) {
	k.powers[0] = number%(prime61-2) + 2 // 0 and 1 would ignore the text or its order
	for i := range k.powers[1:] {
		k.powers[i+1] = reduced(mod61(bits.Mul64(k.powers[i], k.powers[0])))
	}
	return k
}

// Uint64 returns the key as a number.
func (k HashKey) Uint64() uint64 { return k.powers[0] - 2 }

// Sum returns the hash of a text, which is below 2^61.
func (k *HashKey) Sum(text []byte) uint64 {
	sum := uint64(len(text))
	for len(text) >= 32 { // four coefficients of 7 bytes with one reduction
		hi, lo := bits.Mul64(sum, k.powers[3])
		hi, lo = addProduct(hi, lo, coefficient(text), k.powers[2])
		hi, lo = addProduct(hi, lo, coefficient(text[7:]), k.powers[1])
		hi, lo = addProduct(hi, lo, coefficient(text[14:]), k.powers[0])
		lo, carry := bits.Add64(lo, coefficient(text[21:]), 0)
		sum = mod61(hi+carry, lo)
		text = text[28:]
	}
	for len(text) > 7 {
		sum = k.step(sum, coefficient(text))
		text = text[7:]
	}
	var last [8]byte
	copy(last[:], text)
	return reduced(k.step(sum, binary.LittleEndian.Uint64(last[:])))
}

// step adds one coefficient.
func (k *HashKey) step(sum, c uint64) uint64 {
	hi, lo := bits.Mul64(sum, k.powers[0])
	lo, carry := bits.Add64(lo, c, 0)
	return mod61(hi+carry, lo)
}

// coefficient returns the first 7 bytes of a text that has 8.
func coefficient(text []byte) uint64 { return binary.LittleEndian.Uint64(text) & (1<<56 - 1) }

func addProduct(hi, lo, a, b uint64) (uint64, uint64) {
	h, l := bits.Mul64(a, b)
	lo, carry := bits.Add64(lo, l, 0)
	return hi + h + carry, lo
}

// mod61 returns a number below 2^63 that is congruent to hi:lo modulo 2^61-1, if hi is below 2^60.
func mod61(hi, lo uint64) uint64 {
	sum := lo&prime61 + (hi<<3 | lo>>61)
	return sum&prime61 + sum>>61
}

// reduced returns the smallest number that is congruent to sum.
func reduced(sum uint64) uint64 {
	if sum >= prime61 {
		sum -= prime61
	}
	return sum
}
