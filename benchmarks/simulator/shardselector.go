package simulator

import (
	"fmt"
	"math/bits"
	"regexp"
	"strconv"

	"k8s.io/apimachinery/pkg/sharding"
)

// shardSelector is the parsed shardSelector parameter of KEP-5866: ranges of
// the FNV-1a 64 hash of one metadata field. The zero value selects everything.
type shardSelector struct {
	byNamespace bool // else by UID
	rehash      bool // with another hash than clients expect
	ranges      []hashRange
	text        string // normalized, for metadata.shardInfo
}

// hashRange is the closed interval [first, last]. Its text is half-open, with an end
// of at most 2^64.
type hashRange struct{ first, last uint64 }

func (s shardSelector) empty() bool { return len(s.ranges) == 0 }

func (s shardSelector) matches(o *object) bool {
	if s.empty() {
		return true
	}
	hash := o.uidHash
	if s.byNamespace {
		hash = hash64(o.namespace)
	}
	if s.rehash {
		hash = bits.Reverse64(hash)
	}
	for _, r := range s.ranges {
		if r.first <= hash && hash <= r.last {
			return true
		}
	}
	return false
}

const (
	shardByUID       = "object.metadata.uid"
	shardByNamespace = "object.metadata.namespace"
	shardUpperBound  = "0x10000000000000000" // 2^64, allowed only as an end

	shardRangePattern = `\s*shardRange\(\s*(object\.metadata\.(?:uid|namespace))\s*` +
		`,\s*['"](0x[0-9a-f]{16})['"]\s*,\s*['"](0x[0-9a-f]{16}|0x10000000000000000)['"]\s*\)\s*`
	shardRangesPattern = shardRangePattern + `(?:\|\|` + shardRangePattern + `)*`
)

// parseShardSelector parses shardRange(object.metadata.uid, '0x…', '0x…'), or
// several such ranges joined by ||. Bounds have 16 hexadecimal digits. All ranges
// must name the same field. Parentheses around ranges are ignored.
func parseShardSelector(text string) (shardSelector, error) {
	const maxParentheses = 32
	parentheses := regexp.MustCompile(`\s*\((` + shardRangesPattern + `)\)\s*`)
	for range maxParentheses {
		text = parentheses.ReplaceAllString(text, "$1")
	}
	if !regexp.MustCompile(`^` + shardRangesPattern + `$`).MatchString(text) {
		return shardSelector{}, fmt.Errorf("%q: must be shardRange(%s, '0x0000000000000000', '%s') or several joined by ||, "+
			"with bounds of 16 lower-case hexadecimal digits; the field may also be %s",
			text, shardByUID, shardUpperBound, shardByNamespace)
	}
	var s shardSelector
	var requirements []sharding.ShardRangeRequirement
	for _, match := range regexp.MustCompile(shardRangePattern).FindAllStringSubmatch(text, -1) {
		field, start, end := match[1], match[2], match[3]
		if len(requirements) > 0 && field != requirements[0].Key {
			return shardSelector{}, fmt.Errorf("all shard ranges must use one field, got %q and %q", requirements[0].Key, field)
		}
		if !sharding.HexLess(start, end) {
			return shardSelector{}, fmt.Errorf("shard range start %s must be less than end %s", start, end)
		}
		requirements = append(requirements, sharding.ShardRangeRequirement{Key: field, Start: start, End: end})
		s.byNamespace = field == shardByNamespace
		s.ranges = append(s.ranges, hashRange{first: hexadecimal(start), last: hexadecimal(end) - 1})
	}
	s.text = sharding.NewSelector(requirements...).String()
	return s, nil
}

// hexadecimal parses a bound that has matched the pattern; 2^64 wraps to 0.
func hexadecimal(bound string) uint64 {
	n, _ := strconv.ParseUint(bound[len(bound)-16:], 16, 64)
	return n
}
