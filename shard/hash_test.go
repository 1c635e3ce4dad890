package shard

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"testing"

	"k8s.io/apimachinery/pkg/sharding"
)

// uuids returns n version 4 UUIDs, as the API server creates them, the same in each run.
func uuids(n int) []string {
	rng := rand.New(rand.NewPCG(1, 2))
	out := make([]string, n)
	for i := range out {
		var b [16]byte
		binary.BigEndian.PutUint64(b[:8], rng.Uint64())
		binary.BigEndian.PutUint64(b[8:], rng.Uint64())
		b[6] = b[6]&0x0f | 0x40
		b[8] = b[8]&0x3f | 0x80
		out[i] = fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
	}
	return out
}

func TestHashIsTheServersHash(t *testing.T) {
	for _, uid := range append(uuids(100), "", "a", "not-a-uuid", "\x00\xff", "6fa459ea-ee8a-3ca4-894e-db77e160355e") {
		h := fnv.New64a()
		_, _ = h.Write([]byte(uid))
		if got, want := Hash(uid), h.Sum64(); got != want {
			t.Errorf("Hash(%q) = %#x, want %#x, as in hash/fnv", uid, got, want)
		}
		if got, want := fmt.Sprintf("%016x", Hash(uid)), sharding.HashField(uid); got != want {
			t.Errorf("Hash(%q) = %s, want %s, as in apimachinery", uid, got, want)
		}
		if got, want := Hash([]byte(uid)), Hash(uid); got != want {
			t.Errorf("Hash([]byte(%q)) = %#x, want %#x, as of the string", uid, got, want)
		}
	}
}

// The count of n objects in a fraction 1/N has a standard deviation of about sqrt(n/N); 5 of these do not occur by
// chance.
func TestHashSpreadsUUIDsEvenly(t *testing.T) {
	const n = 100_000
	ids := uuids(n)
	for _, total := range []int{2, 3, 5, 10, 64} {
		table := mustTable(t, total)
		counts := make([]int, total)
		for _, uid := range ids {
			counts[ownerOf(table, Hash(uid))]++
		}
		mean := float64(n) / float64(total)
		for ordinal, count := range counts {
			if math.Abs(float64(count)-mean) > 5*math.Sqrt(mean) {
				t.Errorf("ordinal %d of %d owns %d of %d UUIDs, expected about %.0f", ordinal, total, count, n, mean)
			}
		}
	}
}

// The filter runs for every object of the cluster, owned or not, so it must not allocate.
func TestFilterDoesNotAllocate(t *testing.T) {
	own := mustTable(t, 10).Ranges(9)
	uid := []byte(uuids(1)[0])
	owned := 0
	allocs := testing.AllocsPerRun(100, func() {
		if own.Contains(Hash(uid)) {
			owned++
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations for one object, want 0", allocs)
	}
}
