package shard

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// MaxSelector is the longest text that [Ranges.Selector] returns, in bytes before URL encoding.
// Longer ones may exceed the limit of a proxy for a request line.
const MaxSelector = 8 << 10

// widestSelector is the largest fraction of the ring that a selector requests. Above it the API
// server would hash every object and filter out hardly any.
const widestSelector = 0.9

// endOfRing is 2^64 as the API server expects it: the only value with 17 hex digits
// (k8s.io/apimachinery/pkg/sharding, HexLess).
const endOfRing = "0x10000000000000000"

// separator separates two terms of a selector.
const separator = " || "

// Selector is SelectorWithin with [MaxSelector] bytes.
func (r Ranges) Selector() string { return r.SelectorWithin(MaxSelector) }

// SelectorWithin returns the value of the shardSelector parameter of list and watch (KEP-5866), in
// at most limit bytes:
//
// shardRange(object.metadata.uid, '0x0000000000000000', '0x8000000000000000') || …
//
// If there are too many ranges, the selector is coarser: it includes the smallest gaps between
// them, and the client filters. [ParseSelector] returns the ranges that a selector requests.
//
// It returns "", which requests everything, in three cases: the set is the whole ring, a selector
// that fits would request nearly all of it, or the set is empty. No selector can request nothing,
// so a replica that owns nothing (len(r) == 0) must not list at all.
func (r Ranges) SelectorWithin(limit int) string {
	if len(r) == 0 || r.Equal(All()) {
		return ""
	}
	requested := r.merged(termsWithin(limit, r[len(r)-1].End))
	if len(requested) == 0 || len(requested) < len(r) && requested.Fraction() > widestSelector {
		return ""
	}
	var text []byte
	for i, x := range requested {
		if i > 0 {
			text = append(text, separator...)
		}
		text = append(text, x.term()...)
	}
	return string(text)
}

// term returns the term of a selector that requests the range.
func (r Range) term() string {
	start, end := r.bounds()
	return fmt.Sprintf("shardRange(object.metadata.uid, '%s', '%s')", start, end)
}

// bounds returns the bounds as the API server writes them.
func (r Range) bounds() (start, end string) {
	if r.End == 0 {
		return hex(r.Start), endOfRing
	}
	return hex(r.Start), hex(r.End)
}

// MarshalText implements [encoding.TextMarshaler] with the bounds of a selector: "0x…-0x…".
func (r Range) MarshalText() ([]byte, error) {
	start, end := r.bounds()
	return []byte(start + "-" + end), nil
}

// termsWithin returns how many terms fit into limit bytes if the last one ends at end. All others
// have the same length.
func termsWithin(limit int, end uint64) int {
	left := limit - len(Range{End: end}.term())
	if left < 0 {
		return 0
	}
	return 1 + left/(len(separator)+len(Range{End: 1}.term()))
}

// merged returns the smallest set of at most count ranges that includes r; nil for count 0. Each
// gap between two ranges stays open or is filled completely. count ranges have count-1 gaps, so the
// largest gaps stay open.
func (r Ranges) merged(count int) Ranges {
	if count <= 0 {
		return nil
	}
	if len(r) <= count {
		return r
	}
	open := make([]int, 0, len(r)-1) // gaps, each by the index of the range after it
	for i := range r[1:] {
		open = append(open, i+1)
	}
	gap := func(i int) uint64 { return r[i].Start - r[i-1].End }
	slices.SortStableFunc(open, func(a, b int) int { return cmp.Compare(gap(b), gap(a)) })
	open = open[:count-1]
	slices.Sort(open)
	wide := make(Ranges, 0, count)
	first := 0
	for _, next := range append(open, len(r)) {
		wide = append(wide, Range{Start: r[first].Start, End: r[next-1].End})
		first = next
	}
	return wide
}

// ParseSelector returns the ranges that a selector over UIDs requests. It accepts what
// [Ranges.Selector] returns, with any spaces, with single or double quotes, and in any order: an
// API server may reformat a selector.
func ParseSelector(text string) (Ranges, error) {
	var all Ranges
	for term := range strings.SplitSeq(text, "||") {
		x, err := parseTerm(term)
		if err != nil {
			return nil, fmt.Errorf("shard selector: %w", err)
		}
		all = append(all, x)
	}
	return all.Union(nil), nil
}

func parseTerm(term string) (Range, error) {
	arguments, begins := strings.CutPrefix(strings.TrimSpace(term), "shardRange(")
	arguments, ends := strings.CutSuffix(arguments, ")")
	parts := strings.Split(arguments, ",")
	if !begins || !ends || len(parts) != 3 || strings.TrimSpace(parts[0]) != "object.metadata.uid" {
		return Range{}, fmt.Errorf("%q must have the form %s", term, Range{End: 1}.term())
	}
	start, err := parseBound(parts[1], false)
	if err != nil {
		return Range{}, err
	}
	end, err := parseBound(parts[2], true)
	if err != nil {
		return Range{}, err
	}
	x := Range{Start: start, End: end}
	if x.empty() {
		return Range{}, fmt.Errorf("%q must end after its start", term)
	}
	return x, nil
}

// parseBound parses a bound of a range. 2^64, which only an end may be, becomes 0.
func parseBound(text string, end bool) (uint64, error) {
	text = strings.TrimSpace(text)
	quoted := len(text) >= 2 && (text[0] == '\'' || text[0] == '"') && text[len(text)-1] == text[0]
	if !quoted {
		return 0, fmt.Errorf("bound %s must be quoted", text)
	}
	text = text[1 : len(text)-1]
	if end && text == endOfRing {
		return 0, nil
	}
	h, err := strconv.ParseUint(text, 0, 64)
	if err != nil || text != hex(h) || end && h == 0 {
		return 0, fmt.Errorf("bound %q must be 0x and 16 lower-case hexadecimal digits", text)
	}
	return h, nil
}

func hex(h uint64) string { return fmt.Sprintf("0x%016x", h) }
