package shard

import (
	"encoding/binary"
	"math"
	"testing"
)

// segments is the size of a small model of the ring: a set is a bit mask of equal segments.
const segments = 8

// fromMask returns the canonical ranges of a mask.
func fromMask(mask int) Ranges {
	var out Ranges
	for i := 0; i < segments; i++ {
		if mask>>i&1 == 0 {
			continue
		}
		start, end := uint64(i)<<61, uint64(i+1)<<61
		if n := len(out); n > 0 && out[n-1].End == start {
			out[n-1].End = end
			continue
		}
		out = append(out, Range{start, end})
	}
	return out
}

func TestRangesAlgebraEqualsBitMasks(t *testing.T) {
	const full = 1<<segments - 1
	for a := 0; a <= full; a++ {
		ra := fromMask(a)
		for b := 0; b <= full; b++ {
			rb := fromMask(b)
			check := func(name string, got Ranges, want int) {
				t.Helper()
				if !got.Equal(fromMask(want)) {
					t.Fatalf("%v.%s(%v) = %v, want %v", ra, name, rb, got, fromMask(want))
				}
			}
			check("Union", ra.Union(rb), a|b)
			check("Intersect", ra.Intersect(rb), a&b)
			check("Difference", ra.Difference(rb), a&^b)
			if ra.Equal(rb) != (a == b) {
				t.Fatalf("%v.Equal(%v) = %t, want %t", ra, rb, a != b, a == b)
			}
		}
		if !ra.Equal(fromMask(a)) {
			t.Fatalf("an operation changed its receiver to %v, want %v", ra, fromMask(a))
		}
	}
}

func TestContainsIsHalfOpen(t *testing.T) {
	for mask := 0; mask < 1<<segments; mask++ {
		r, width := fromMask(mask), uint64(1)<<61
		for i := 0; i < segments; i++ {
			start := uint64(i) * width
			want := mask>>i&1 == 1
			for _, h := range []uint64{start, start + 1, start + width/2, start + width - 1} {
				if r.Contains(h) != want {
					t.Fatalf("%v.Contains(%#x) = %v, want %v", r, h, !want, want)
				}
			}
		}
	}
}

func TestFraction(t *testing.T) {
	for _, c := range []struct {
		ranges Ranges
		want   float64
	}{
		{nil, 0},
		{All(), 1},
		{Ranges{{1, 0}}, 1},
		{Ranges{{0, 1 << 63}}, 0.5},
		{Ranges{{0, 1 << 61}, {7 << 61, 0}}, 0.25},
		{Ranges{{5, 6}}, math.Ldexp(1, -64)},
	} {
		if got := c.ranges.Fraction(); got != c.want {
			t.Errorf("%v.Fraction() = %v, want %v", c.ranges, got, c.want)
		}
	}
}

func TestUnionAcceptsRawRanges(t *testing.T) {
	for _, c := range []struct{ raw, want Ranges }{
		{Ranges{{5, 5}, {9, 3}}, nil},
		{Ranges{{8, 0}, {0, 8}}, All()},
		{Ranges{{20, 30}, {10, 20}, {12, 15}}, Ranges{{10, 30}}},
		{Ranges{{10, 0}, {20, 30}}, Ranges{{10, 0}}},
		{Ranges{{10, 20}, {21, 30}}, Ranges{{10, 20}, {21, 30}}},
	} {
		if got := c.raw.Union(nil); !got.Equal(c.want) {
			t.Errorf("%v.Union(nil) = %v, want %v", c.raw, got, c.want)
		}
	}
}

// decodeRanges reads raw ranges, 16 bytes each. If the first byte is odd, all but the top three bits of each bound are
// cleared, so that bounds are often equal.
func decodeRanges(data []byte) Ranges {
	mask := uint64(math.MaxUint64)
	if len(data) > 0 && data[0]&1 == 1 {
		mask = 7 << 61
	}
	var raw Ranges
	for len(data) >= 16 && len(raw) < 50 {
		raw = append(raw, Range{binary.BigEndian.Uint64(data) & mask, binary.BigEndian.Uint64(data[8:]) & mask})
		data = data[16:]
	}
	return raw
}

// inRaw reports whether h is in one of the raw ranges, by the definition of [Range].
func inRaw(raw Ranges, h uint64) bool {
	for _, x := range raw {
		if x.Start <= h && (h < x.End || x.End == 0) {
			return true
		}
	}
	return false
}

func checkCanonical(t *testing.T, r Ranges) {
	t.Helper()
	for i, x := range r {
		if x.End != 0 && x.End <= x.Start {
			t.Fatalf("%v: range %d is empty", r, i)
		}
		if i > 0 && (r[i-1].End == 0 || r[i-1].End >= x.Start) {
			t.Fatalf("%v: range %d overlaps or touches the previous one, or precedes it", r, i)
		}
	}
}

func FuzzRanges(f *testing.F) {
	f.Add([]byte{}, []byte{})
	f.Add(make([]byte, 16), []byte("0123456789abcdef0123456789abcdef"))
	f.Add([]byte("\x01aaaaaaa\x80bbbbbbb\x80ccccccc\x00ddddddd"), []byte("\x03aaaaaaa\xf0bbbbbb"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		rawA, rawB := decodeRanges(a), decodeRanges(b)
		x, y := rawA.Union(nil), rawB.Union(nil)
		union, minus, both := x.Union(y), x.Difference(y), x.Intersect(y)
		for _, r := range []Ranges{x, y, union, minus, both} {
			checkCanonical(t, r)
		}
		points := []uint64{0, math.MaxUint64}
		for _, r := range append(rawA, rawB...) {
			points = append(points, r.Start-1, r.Start, r.Start+1, r.End-1, r.End, r.End+1)
		}
		for _, h := range points {
			inA, inB := inRaw(rawA, h), inRaw(rawB, h)
			if x.Contains(h) != inA || union.Contains(h) != (inA || inB) ||
				minus.Contains(h) != (inA && !inB) || both.Contains(h) != (inA && inB) {
				t.Fatalf("wrong result for hash %#x: a=%v b=%v union=%v difference=%v intersection=%v", h, x, y, union, minus, both)
			}
		}
		if !minus.Union(both).Equal(x) {
			t.Fatalf("(a-b)+(a&b) = %v, want %v", minus.Union(both), x)
		}
		if sum := minus.Fraction() + both.Fraction(); math.Abs(sum-x.Fraction()) > 1e-9 {
			t.Fatalf("the fractions of the parts sum to %v, want %v", sum, x.Fraction())
		}
	})
}

func TestRangeAsText(t *testing.T) {
	for _, c := range []struct {
		r    Range
		want string
	}{
		{Range{Start: 0, End: 1 << 63}, "0x0000000000000000-0x8000000000000000"},
		{Range{Start: 1 << 63, End: 0}, "0x8000000000000000-0x10000000000000000"},
	} {
		if got, err := c.r.MarshalText(); err != nil || string(got) != c.want {
			t.Errorf("%v is %q, %v; want %q", c.r, got, err, c.want)
		}
	}
}
