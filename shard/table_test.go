package shard

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func mustTable(t testing.TB, n int) Table {
	t.Helper()
	table, err := NewTable(n)
	if err != nil {
		t.Fatal(err)
	}
	if len(table.owned) != n {
		t.Fatalf("table for %d replicas has %d", n, len(table.owned))
	}
	return table
}

// ownerOf returns the first ordinal that owns h, or -1.
func ownerOf(table Table, h uint64) int {
	return slices.IndexFunc(table.owned, func(r Ranges) bool { return r.Contains(h) })
}

// totals returns all totals up to 128 and some larger ones, or those up to 40 in -short runs.
func totals() []int {
	var out []int
	for n := 1; n <= 128; n++ {
		if !testing.Short() || n <= 40 {
			out = append(out, n)
		}
	}
	if testing.Short() {
		return out
	}
	return append(out, 200, 300)
}

// Sorted by start, the ranges of all replicas tile the ring.
func TestEveryHashHasExactlyOneOwner(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, n := range totals() {
		table := mustTable(t, n)
		starts := map[uint64]Range{}
		for ordinal := range n {
			own := table.Ranges(ordinal)
			checkCanonical(t, own)
			for _, x := range own {
				if _, double := starts[x.Start]; double {
					t.Fatalf("n=%d: two ranges start at %#x", n, x.Start)
				}
				starts[x.Start] = x
			}
		}
		at, tiles := uint64(0), 0
		for ; tiles == 0 || at != 0; tiles++ {
			tile, ok := starts[at]
			if !ok {
				t.Fatalf("n=%d: %#x must have exactly one owner", n, at)
			}
			at = tile.End
		}
		if tiles != len(starts) {
			t.Fatalf("n=%d: %d ranges tile the ring, %d are owned", n, tiles, len(starts))
		}
		for range 50 {
			checkOneOwner(t, table, rng.Uint64())
		}
		for _, x := range table.Ranges(n - 1) {
			for _, h := range []uint64{x.Start - 1, x.Start, x.Start + 1, x.End - 1, x.End, x.End + 1} {
				checkOneOwner(t, table, h)
			}
		}
	}
}

func checkOneOwner(t *testing.T, table Table, h uint64) {
	t.Helper()
	owners := 0
	for _, own := range table.owned {
		if own.Contains(h) {
			owners++
		}
	}
	if owners != 1 {
		t.Fatalf("n=%d: %#x has %d owners, want 1", len(table.owned), h, owners)
	}
}

func TestGrowthMovesOnlyToTheNewReplica(t *testing.T) {
	before := mustTable(t, 1)
	for _, n := range totals()[1:] {
		if len(before.owned) != n-1 {
			before = mustTable(t, n-1)
		}
		after := mustTable(t, n)
		slice := 1 / float64(n) / float64(n-1)
		newcomer := after.Ranges(n - 1)
		for ordinal := range n - 1 {
			was, is := before.Ranges(ordinal), after.Ranges(ordinal)
			if gained := is.Difference(was); len(gained) != 0 {
				t.Fatalf("%d to %d: ordinal %d gains %v", n-1, n, ordinal, gained)
			}
			lost := was.Difference(is)
			if !lost.Difference(newcomer).Equal(nil) {
				t.Fatalf("%d to %d: ordinal %d loses hashes that the newcomer does not own", n-1, n, ordinal)
			}
			if math.Abs(lost.Fraction()-slice) > 1e-15 {
				t.Fatalf("%d to %d: ordinal %d loses %v of the ring, want %v", n-1, n, ordinal, lost.Fraction(), slice)
			}
		}
		before = after
	}
}

func TestGrowthMovesOneInNPlusOneObjects(t *testing.T) {
	ids := uuids(100_000)
	for n := 1; n <= 10; n++ {
		before, after, moved := mustTable(t, n), mustTable(t, n+1), 0
		for _, uid := range ids {
			h := Hash(uid)
			from, to := ownerOf(before, h), ownerOf(after, h)
			if from == to {
				continue
			}
			moved++
			if to != n {
				t.Fatalf("%d to %d: %s moves from %d to %d", n, n+1, uid, from, to)
			}
		}
		want := float64(len(ids)) / float64(n+1)
		if math.Abs(float64(moved)-want) > 5*math.Sqrt(want) {
			t.Errorf("%d to %d: %d objects move, expected about %.0f", n, n+1, moved, want)
		}
	}
}

func TestReplicasOwnEqualParts(t *testing.T) {
	for _, n := range totals() {
		table := mustTable(t, n)
		smallest, largest := uint64(math.MaxUint64), uint64(0)
		for ordinal := range n {
			own := table.Ranges(ordinal)
			if math.Abs(own.Fraction()-1/float64(n)) > 1e-9 {
				t.Fatalf("n=%d: ordinal %d owns %v of the ring, want %v", n, ordinal, own.Fraction(), 1/float64(n))
			}
			smallest, largest = min(smallest, own.size()), max(largest, own.size())
		}
		if largest-smallest > 1 {
			t.Fatalf("n=%d: the parts differ by %d hashes, want at most 1", n, largest-smallest)
		}
	}
}

func TestRangeCountIsBounded(t *testing.T) {
	for _, n := range append(totals(), 400) {
		table := mustTable(t, n)
		for ordinal := range n {
			if got, bound := len(table.Ranges(ordinal)), max(1, ordinal); got > bound {
				t.Fatalf("n=%d: ordinal %d has %d ranges, want at most %d", n, ordinal, got, bound)
			}
		}
	}
}

func TestTotalOutOfBounds(t *testing.T) {
	for _, n := range []int{math.MinInt, -1, 0, MaxTotal + 1, math.MaxInt} {
		table, err := NewTable(n)
		if err == nil || !strings.Contains(err.Error(), "total shards") {
			t.Errorf("NewTable(%d): error %v, want one that names the total shards", n, err)
		}
		if len(table.owned) != 0 || table.Ranges(0) != nil {
			t.Errorf("NewTable(%d) returns a table with an error", n)
		}
	}
}

func TestRangesOutsideTheTable(t *testing.T) {
	table := mustTable(t, 3)
	for _, ordinal := range []int{math.MinInt, -1, 3, math.MaxInt} {
		if got := table.Ranges(ordinal); got != nil {
			t.Errorf("Ranges(%d) = %v, want nil", ordinal, got)
		}
	}
	table.Ranges(0)[0].End = 1
	if got := table.Ranges(0); got.Fraction() < 0.3 {
		t.Errorf("a caller changed the table: Ranges(0) = %v", got)
	}
}

// Replicas of different versions work together during a rollout, so the table must never change.
func TestTableNeverChanges(t *testing.T) {
	want := []string{
		"[{0 3333333333333334}]",
		"[{8000000000000000 b333333333333333}]",
		"[{5555555555555556 7333333333333333} {d555555555555555 eaaaaaaaaaaaaaab}]",
		"[{4000000000000000 4888888888888889} {c000000000000000 d555555555555555} {eaaaaaaaaaaaaaab 0}]",
		"[{3333333333333334 4000000000000000} {4888888888888889 5555555555555556}" +
			" {7333333333333333 8000000000000000} {b333333333333333 c000000000000000}]",
	}
	table := mustTable(t, 5)
	for ordinal, text := range want {
		if got := fmt.Sprintf("%x", table.Ranges(ordinal)); got != text {
			t.Errorf("ordinal %d of 5: got %s, want %s", ordinal, got, text)
		}
	}
	sum := fnv.New64a()
	for n := 1; n <= 64; n++ {
		for _, own := range mustTable(t, n).owned {
			for _, x := range own {
				var b [16]byte
				binary.BigEndian.PutUint64(b[:], x.Start)
				binary.BigEndian.PutUint64(b[8:], x.End)
				_, _ = sum.Write(b[:])
			}
		}
	}
	if got, pinned := sum.Sum64(), uint64(0x83c0a5adc1122779); got != pinned {
		t.Errorf("fingerprint of the tables for 1 to 64 is %#x, want %#x", got, pinned)
	}
}
