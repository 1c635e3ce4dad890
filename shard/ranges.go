package shard

import (
	"cmp"
	"math"
	"slices"
	"sort"
)

// Range is the half-open interval [Start, End) of hashes. End == 0 means 2^64, the end of the ring.
// So the zero value is the whole ring. A range with End <= Start (and End != 0) is empty.
type Range struct{ Start, End uint64 }

// last returns the largest hash of the range. Inclusive bounds keep 2^64 out of the arithmetic.
func (r Range) last() uint64 { return r.End - 1 }

func (r Range) empty() bool { return r.last() < r.Start }

// Ranges is a set of hashes: ranges that are sorted, non-empty, disjoint, and merged where they
// touch. Every method requires this form, and every function of this package returns it.
// [Ranges.Union] with nil normalizes other ranges. nil is the empty set.
//
// Methods do not modify their receiver or argument.
type Ranges []Range

// All returns the set of all hashes.
func All() Ranges { return Ranges{{}} }

// Contains reports whether h is in the set. It runs for every object of every event, and does not allocate.
func (r Ranges) Contains(h uint64) bool {
	after := sort.Search(len(r), func(i int) bool { return r[i].Start > h })
	return after > 0 && h <= r[after-1].last()
}

// Union returns the hashes that are in r, in o, or in both. Only Union accepts ranges that are
// unsorted, empty or overlapping.
func (r Ranges) Union(o Ranges) Ranges {
	all := slices.DeleteFunc(slices.Concat(r, o), Range.empty)
	slices.SortFunc(all, byStart)
	merged := all[:0]
	for _, next := range all {
		if n := len(merged); n > 0 && (merged[n-1].End == 0 || next.Start <= merged[n-1].End) {
			if next.last() > merged[n-1].last() {
				merged[n-1].End = next.End
			}
			continue
		}
		merged = append(merged, next)
	}
	return merged
}

// Intersect returns the hashes that are in both r and o.
func (r Ranges) Intersect(o Ranges) Ranges {
	var both Ranges
	for i, j := 0, 0; i < len(r) && j < len(o); {
		start := max(r[i].Start, o[j].Start)
		last := min(r[i].last(), o[j].last())
		if start <= last {
			both = append(both, Range{Start: start, End: last + 1}) // wraps to 0 at the end of the ring, as intended
		}
		if r[i].last() < o[j].last() {
			i++
		} else {
			j++
		}
	}
	return both
}

// Difference returns the hashes that are in r but not in o.
func (r Ranges) Difference(o Ranges) Ranges { return r.Intersect(o.complement()) }

func (r Ranges) complement() Ranges {
	var rest Ranges
	next := uint64(0)
	for _, x := range r {
		if next < x.Start {
			rest = append(rest, Range{Start: next, End: x.Start})
		}
		if x.End == 0 {
			return rest
		}
		next = x.End
	}
	return append(rest, Range{Start: next})
}

// Equal reports whether r and o are the same set.
func (r Ranges) Equal(o Ranges) bool { return slices.Equal(r, o) }

// Fraction returns the size of the set as a fraction of the ring, 0 to 1.
func (r Ranges) Fraction() float64 {
	if r.Equal(All()) {
		return 1
	}
	return math.Ldexp(float64(r.size()), -64)
}

// size returns the number of hashes in the set, modulo 2^64: 0 for the empty set and for the whole
// ring.
func (r Ranges) size() uint64 {
	var n uint64
	for _, x := range r {
		n += x.End - x.Start
	}
	return n
}

func byStart(a, b Range) int { return cmp.Compare(a.Start, b.Start) }
