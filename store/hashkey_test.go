package store

import (
	"hash/maphash"
	"math/big"
	"math/rand/v2"
	"testing"
)

// polynomial computes the hash with big integers.
func polynomial(number uint64, text []byte) uint64 {
	p := big.NewInt(prime61)
	key := new(big.Int).SetUint64(number%(prime61-2) + 2)
	sum := big.NewInt(int64(len(text)))
	add := func(part []byte) {
		c := new(big.Int)
		for i := len(part) - 1; i >= 0; i-- {
			c.Lsh(c, 8).Or(c, big.NewInt(int64(part[i])))
		}
		sum.Mul(sum, key).Add(sum, c).Mod(sum, p)
	}
	for ; len(text) > 7; text = text[7:] {
		add(text[:7])
	}
	add(text)
	return sum.Uint64()
}

func TestHashIsThePolynomialOfItsText(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for n := range 300 {
		text := make([]byte, n)
		for i := range text {
			text[i] = byte(rng.Uint32())
			if n%3 == 0 {
				text[i] = 0xff // the largest coefficients
			}
		}
		for _, number := range []uint64{0, 1, prime61 - 3, prime61 - 2, 1<<64 - 1, rng.Uint64()} {
			k := RestoreHashKey(number)
			if got, want := k.Sum(text), polynomial(number, text); got != want {
				t.Fatalf("hash of %d bytes with key %d is %d, want %d", n, number, got, want)
			}
		}
	}
}

func TestRestoredKeyHashesAsBefore(t *testing.T) {
	k := NewHashKey()
	restored := RestoreHashKey(k.Uint64())
	if k != restored {
		t.Errorf("restored %v, want %v", restored, k)
	}
	if k == NewHashKey() {
		t.Error("two new keys are equal")
	}
}

func TestHashesOfSimilarTextsDiffer(t *testing.T) {
	k := NewHashKey()
	seen := map[uint64]string{}
	for _, text := range []string{"", "\x00", "\x00\x00", "a", "a\x00", "ab", "ba", "aaaaaaa", "aaaaaaaa", "aaaaaaab"} {
		h := k.Sum([]byte(text))
		if other, ok := seen[h]; ok {
			t.Errorf("%q and %q have the same hash", text, other)
		}
		seen[h] = text
	}
}

func BenchmarkHashKeySum(b *testing.B) {
	k, seed := NewHashKey(), maphash.MakeSeed()
	for _, n := range []int{100, 400, 4000} {
		text := make([]byte, n)
		b.Run("polynomial", func(b *testing.B) {
			b.SetBytes(int64(n))
			for b.Loop() {
				k.Sum(text)
			}
		})
		b.Run("maphash", func(b *testing.B) {
			b.SetBytes(int64(n))
			for b.Loop() {
				maphash.Bytes(seed, text)
			}
		})
	}
}
