package simulator

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/sharding"
)

// shardSelector is the parsed shardSelector parameter of KEP-5866: ranges of
// the FNV-1a 64 hash of one metadata field. The zero value selects everything.
type shardSelector struct {
	byNamespace bool // else by UID
	rehash      bool // by another hash of it
	ranges      []hashRange
	text        string // normalized, for metadata.shardInfo
}

// hashRange is [first, last]; the text form is half-open with an end up to 2^64.
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
	shardUpperBound  = "0x10000000000000000" // 2^64, only as an end
)

// parseShardSelector reads shardRange(object.metadata.uid, '0x…', '0x…'), one
// or several joined by ||, with 16 hexadecimal digits in a bound. All ranges
// name the same field.
func parseShardSelector(text string) (shardSelector, error) {
	p := shardParser{rest: text}
	if err := p.alternatives(0); err != nil {
		return shardSelector{}, err
	}
	if p.skipSpace(); p.rest != "" {
		return shardSelector{}, fmt.Errorf("unexpected %q", p.rest)
	}
	s := shardSelector{byNamespace: p.found[0].Key == shardByNamespace, text: sharding.NewSelector(p.found...).String()}
	for _, req := range p.found {
		if req.Key != p.found[0].Key {
			return shardSelector{}, fmt.Errorf("all shard ranges must use the same field, got %q and %q", p.found[0].Key, req.Key)
		}
		r, err := newHashRange(req.Start, req.End)
		if err != nil {
			return shardSelector{}, err
		}
		s.ranges = append(s.ranges, r)
	}
	return s, nil
}

func newHashRange(start, end string) (hashRange, error) {
	first, err := parseBound(start)
	if err != nil {
		return hashRange{}, err
	}
	if end == shardUpperBound {
		return hashRange{first: first, last: ^uint64(0)}, nil
	}
	after, err := parseBound(end)
	if err != nil {
		return hashRange{}, err
	}
	if first >= after {
		return hashRange{}, fmt.Errorf("shard range start %s must be less than end %s", start, end)
	}
	return hashRange{first: first, last: after - 1}, nil
}

func parseBound(text string) (uint64, error) {
	digits, ok := strings.CutPrefix(text, "0x")
	if !ok || len(digits) != 16 || strings.ToLower(digits) != digits {
		return 0, fmt.Errorf("%q is not a bound: want 0x and 16 lower-case hexadecimal digits", text)
	}
	bound, err := strconv.ParseUint(digits, 16, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a bound: %w", text, err)
	}
	return bound, nil
}

// shardParser reads the part of CEL that a shard selector may use.
type shardParser struct {
	rest  string
	found []sharding.ShardRangeRequirement
}

func (p *shardParser) alternatives(depth int) error {
	for {
		if err := p.alternative(depth); err != nil {
			return err
		}
		if !p.take("||") {
			return nil
		}
	}
}

func (p *shardParser) alternative(depth int) error {
	const maxDepth = 32
	if p.take("(") {
		if depth == maxDepth {
			return fmt.Errorf("more than %d nested parentheses", maxDepth)
		}
		if err := p.alternatives(depth + 1); err != nil {
			return err
		}
		return p.want(")")
	}
	return p.shardRange()
}

func (p *shardParser) shardRange() error {
	if name := p.word(); name != "shardRange" {
		return fmt.Errorf("expected shardRange() or ||, got %q", name+p.rest)
	}
	if err := p.want("("); err != nil {
		return err
	}
	field := p.word()
	if field != shardByUID && field != shardByNamespace {
		return fmt.Errorf("unsupported field path %q; supported: %s, %s", field, shardByUID, shardByNamespace)
	}
	var bounds [2]string
	for i := range bounds {
		if err := p.want(","); err != nil {
			return err
		}
		var err error
		if bounds[i], err = p.quoted(); err != nil {
			return err
		}
	}
	p.found = append(p.found, sharding.ShardRangeRequirement{Key: field, Start: bounds[0], End: bounds[1]})
	return p.want(")")
}

// word reads letters and dots: a function's name or a field's path.
func (p *shardParser) word() string {
	p.skipSpace()
	end := strings.IndexFunc(p.rest, func(r rune) bool { return r != '.' && (r|0x20 < 'a' || r|0x20 > 'z') })
	if end < 0 {
		end = len(p.rest)
	}
	word := p.rest[:end]
	p.rest = p.rest[end:]
	return word
}

func (p *shardParser) quoted() (string, error) {
	p.skipSpace()
	if p.rest == "" || (p.rest[0] != '\'' && p.rest[0] != '"') {
		return "", fmt.Errorf("expected a string literal such as '0x0000000000000000', got %q", p.rest)
	}
	text, rest, closed := strings.Cut(p.rest[1:], p.rest[:1])
	if !closed {
		return "", fmt.Errorf("string literal %q does not end", p.rest)
	}
	p.rest = rest
	return text, nil
}

func (p *shardParser) want(token string) error {
	if !p.take(token) {
		return fmt.Errorf("expected %q, got %q", token, p.rest)
	}
	return nil
}

func (p *shardParser) take(token string) bool {
	p.skipSpace()
	rest, ok := strings.CutPrefix(p.rest, token)
	p.rest = rest
	return ok
}

func (p *shardParser) skipSpace() { p.rest = strings.TrimLeft(p.rest, " \t\r\n\f") }
