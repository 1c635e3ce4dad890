package simulator

import (
	"fmt"
	"math/bits"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/sharding"
)

// shardSelector is the parsed shardSelector parameter of KEP-5866: ranges of the
// FNV-1a 64 hash of the UID. The zero value selects everything.
type shardSelector struct {
	text   string // for metadata.shardInfo
	ranges []hashRange
	rehash bool // with another hash than clients expect
}

// hashRange is the closed interval [first, last].
type hashRange struct{ first, last uint64 }

func (s shardSelector) empty() bool { return len(s.ranges) == 0 }

func (s shardSelector) matches(o *object) bool {
	hash := o.uidHash
	if s.rehash {
		hash = bits.Reverse64(hash)
	}
	return s.empty() || slices.ContainsFunc(s.ranges, func(r hashRange) bool { return r.first <= hash && hash <= r.last })
}

// parseShardSelector parses shardRange(object.metadata.uid, '0x…', '0x…'), or several
// such ranges joined by ||, in the normal form of k8s.io/apimachinery/pkg/sharding.
// A range is half-open, and its end is at most 2^64.
func parseShardSelector(text string) (shardSelector, error) {
	shardRange := regexp.MustCompile(
		`^shardRange\(object\.metadata\.uid, '(0x[0-9a-f]{16})', '(0x[0-9a-f]{16}|0x10000000000000000)'\)$`)
	s := shardSelector{text: text}
	for term := range strings.SplitSeq(text, " || ") {
		bounds := shardRange.FindStringSubmatch(term)
		if bounds == nil {
			return s, fmt.Errorf("%q: must be shardRange(object.metadata.uid, '0x0000000000000000', '0x10000000000000000') "+
				"or several joined by ||, with bounds of 16 lower-case hexadecimal digits", text)
		}
		start, end := bounds[1], bounds[2]
		if !sharding.HexLess(start, end) {
			return s, fmt.Errorf("shard range start %s must be less than end %s", start, end)
		}
		s.ranges = append(s.ranges, hashRange{first: hexadecimal(start), last: hexadecimal(end) - 1})
	}
	return s, nil
}

// hexadecimal parses a bound that has matched the pattern; 2^64 wraps to 0.
func hexadecimal(bound string) uint64 {
	n, _ := strconv.ParseUint(bound[len(bound)-16:], 16, 64)
	return n
}
