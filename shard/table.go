package shard

import (
	"fmt"
	"math/bits"
	"slices"
)

// MaxTotal is the largest number of replicas in a table. The number of ranges grows with its
// square, to half a million here.
const MaxTotal = 1024

// Table assigns hash ranges to N replicas. Every hash has exactly one owner, and all replicas own
// equally many, give or take one hash. A Table is immutable; the zero value is a table without
// replicas.
type Table struct{ owned []Ranges }

// NewTable divides the ring among n replicas, 1 to [MaxTotal]; otherwise it returns an error that
// names the total shards. The result depends on n alone and has at most max(1, k) ranges for
// ordinal k. The cost grows with n^3: well under a millisecond for 64 replicas, about half a second
// for MaxTotal.
//
// The table for n is the table for n-1 plus a newcomer that takes an equal slice from each of the
// others. So scaling up moves hashes only to the newcomer, and scaling down only from the highest
// ordinal.
func NewTable(n int) (Table, error) {
	if n < 1 || n > MaxTotal {
		return Table{}, fmt.Errorf("total shards must be between 1 and %d, got %d", MaxTotal, n)
	}
	owned := make([]Ranges, 1, n)
	owned[0] = All()
	for len(owned) < n {
		owned = append(owned, sliceForNewcomer(owned))
	}
	return Table{owned: owned}, nil
}

// sliceForNewcomer removes the newcomer's ranges from those of the other replicas: from each the
// end of its largest range.
//
// With n owners the largest of at most n-1 ranges that make up 1/n of the ring is longer than the
// slice, 1/(n(n+1)). So one range always suffices, no owner gets more ranges than it had, and
// slices never touch: the rest of a donor's range lies between them.
func sliceForNewcomer(owned []Ranges) Ranges {
	quotient, remainder := bits.Div64(1, 0, uint64(len(owned)+1)) // 2^64 / (n+1)
	slice := make(Ranges, 0, len(owned))
	for ordinal, own := range owned {
		keep := quotient
		if uint64(ordinal) < remainder {
			keep++
		}
		donor := &own[largest(own)]
		start := donor.End - (own.size() - keep) // modulo 2^64, which is also correct at the end of the ring
		slice = append(slice, Range{Start: start, End: donor.End})
		donor.End = start
	}
	slices.SortFunc(slice, byStart)
	return slice
}

// largest returns the index of the longest range, the first one if several are equal.
func largest(own Ranges) int {
	at, longest := 0, uint64(0)
	for i, x := range own {
		if n := x.End - x.Start; n > longest {
			at, longest = i, n
		}
	}
	return at
}

// Ranges returns the hashes that the replica with this ordinal owns, or nil if the ordinal is
// outside 0 to N-1. The caller owns the result.
func (t Table) Ranges(ordinal int) Ranges {
	if ordinal < 0 || ordinal >= len(t.owned) {
		return nil
	}
	return slices.Clone(t.owned[ordinal])
}
