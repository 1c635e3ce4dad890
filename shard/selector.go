package shard

import "fmt"

// MaxSelector is the longest text that [Ranges.Selector] returns, in bytes before URL encoding. Longer
// ones risk the limits that proxies put on a request line; the client then filters alone.
const MaxSelector = 8 << 10

// endOfRing is how the API server wants 2^64 written: the one value with 17 hex digits
// (k8s.io/apimachinery/pkg/sharding, HexLess).
const endOfRing = "0x10000000000000000"

// Selector returns the value for the shardSelector parameter of list and watch (KEP-5866):
//
//	shardRange(object.metadata.uid, '0x0000000000000000', '0x8000000000000000') || …
//
// It returns "", which asks the server for everything, in three cases: the set is the whole ring, the
// text would be longer than [MaxSelector], or the set is empty. No selector can say "nothing", so who
// owns nothing (len(r) == 0) must not list at all.
func (r Ranges) Selector() string {
	if r.Equal(All()) {
		return ""
	}
	var text []byte
	for i, x := range r {
		if i > 0 {
			text = append(text, " || "...)
		}
		end := endOfRing
		if x.End != 0 {
			end = hex(x.End)
		}
		text = fmt.Appendf(text, "shardRange(object.metadata.uid, '%s', '%s')", hex(x.Start), end)
		if len(text) > MaxSelector {
			return ""
		}
	}
	return string(text)
}

func hex(h uint64) string { return fmt.Sprintf("0x%016x", h) }
