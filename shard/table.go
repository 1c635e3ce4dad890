package shard

import (
	"fmt"
	"math/bits"
	"slices"
)

// MaxTotal is the largest number of replicas a table is made for. The number of ranges grows with its
// square, half a million here.
const MaxTotal = 1024

// Table says which ranges each of N replicas owns. Every hash has exactly one owner and all shares are
// equal, to one hash. It is immutable; the zero value is a table without replicas.
type Table struct{ owned []Ranges }

// NewTable cuts the ring for n replicas, 1 to [MaxTotal]; the error names the total shards otherwise. The
// result depends on n alone and has no more than max(1, k) ranges for ordinal k. The work grows with n^3:
// well under a millisecond for 64 replicas, about half a second for MaxTotal.
//
// The table for n is the table for n-1 plus one newcomer, which takes an equal slice from each of the
// others. So growing moves hashes to the newcomer only, and shrinking only away from the highest ordinal.
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

// sliceForNewcomer takes the newcomer's ranges out of what the others own: from each one the end of its largest range.
//
// With n owners the largest of at most n-1 ranges that make up 1/n of the ring is longer than the slice,
// 1/(n(n+1)), so one range always suffices, no owner gets more ranges than it had, and the slices never
// touch each other: what is left of a donor's range lies between them.
func sliceForNewcomer(owned []Ranges) Ranges {
	quotient, remainder := bits.Div64(1, 0, uint64(len(owned)+1)) // 2^64 / (n+1)
	slice := make(Ranges, 0, len(owned))
	for ordinal, own := range owned {
		keep := quotient
		if uint64(ordinal) < remainder {
			keep++
		}
		donor := &own[largest(own)]
		start := donor.End - (own.size() - keep) // modulo 2^64, right for a full ring and for its end too
		slice = append(slice, Range{Start: start, End: donor.End})
		donor.End = start
	}
	slices.SortFunc(slice, byStart)
	return slice
}

// largest returns the index of the longest range, of equals the first.
func largest(own Ranges) int {
	at, longest := 0, uint64(0)
	for i, x := range own {
		if n := x.End - x.Start; n > longest {
			at, longest = i, n
		}
	}
	return at
}

// Len returns the number of replicas, N.
func (t Table) Len() int { return len(t.owned) }

// Ranges returns what the replica with this ordinal owns, nil when the ordinal is outside 0 to N-1. The
// result is the caller's to keep.
func (t Table) Ranges(ordinal int) Ranges {
	if ordinal < 0 || ordinal >= len(t.owned) {
		return nil
	}
	return slices.Clone(t.owned[ordinal])
}

// Owner returns the ordinal that owns h, -1 in the zero Table. It asks the replicas in turn and is meant for
// diagnosis; a replica that filters holds on to its own [Ranges].
func (t Table) Owner(h uint64) int {
	return slices.IndexFunc(t.owned, func(r Ranges) bool { return r.Contains(h) })
}
