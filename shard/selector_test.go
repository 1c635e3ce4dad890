package shard

import (
	"regexp"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/sharding"
	"k8s.io/apimachinery/pkg/types"
)

// term has the rules of the API server's parser (k8s.io/apiserver/pkg/sharding): 16 digits, lower case, or 2^64.
var term = regexp.MustCompile(`^shardRange\(object\.metadata\.uid, '(0x[0-9a-f]{16})', '(0x[0-9a-f]{16}|0x10000000000000000)'\)$`)

// parse turns the text into apimachinery's own selector, which does the matching on the server.
func parse(t *testing.T, text string) sharding.Selector {
	t.Helper()
	var reqs []sharding.ShardRangeRequirement
	for _, part := range strings.Split(text, " || ") {
		m := term.FindStringSubmatch(part)
		if m == nil {
			t.Fatalf("the server would not understand %q", part)
		}
		if !sharding.HexLess(m[1], m[2]) {
			t.Fatalf("start is not less than end in %q", part)
		}
		reqs = append(reqs, sharding.ShardRangeRequirement{Key: "object.metadata.uid", Start: m[1], End: m[2]})
	}
	return sharding.NewSelector(reqs...)
}

func TestSelectorText(t *testing.T) {
	for _, c := range []struct {
		ranges Ranges
		want   string
	}{
		{nil, ""},
		{All(), ""},
		{Ranges{{0, 1 << 63}}, "shardRange(object.metadata.uid, '0x0000000000000000', '0x8000000000000000')"},
		{Ranges{{1 << 63, 0}}, "shardRange(object.metadata.uid, '0x8000000000000000', '0x10000000000000000')"},
		{Ranges{{1, 10}, {255, 0}}, "shardRange(object.metadata.uid, '0x0000000000000001', '0x000000000000000a')" +
			" || shardRange(object.metadata.uid, '0x00000000000000ff', '0x10000000000000000')"},
	} {
		if got := c.ranges.Selector(); got != c.want {
			t.Errorf("%v.Selector()\n got %q\nwant %q", c.ranges, got, c.want)
		}
	}
}

func TestSelectorMatchesWhatContainsOwns(t *testing.T) {
	ids := uuids(500)
	for _, total := range []int{2, 3, 7, 64} {
		table := mustTable(t, total)
		for _, ordinal := range []int{0, total / 2, total - 1} {
			own := table.Ranges(ordinal)
			selector := parse(t, own.Selector())
			if got := selector.String(); got != own.Selector() {
				t.Fatalf("round trip of %q gives %q", own.Selector(), got)
			}
			for _, uid := range ids {
				obj := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{UID: types.UID(uid)}}
				server, err := selector.Matches(obj)
				if err != nil {
					t.Fatal(err)
				}
				if client := own.Contains(Hash(uid)); client != server {
					t.Fatalf("ordinal %d of %d, UID %s: client says %v, server %v", ordinal, total, uid, client, server)
				}
			}
		}
	}
}

func TestSelectorIsBounded(t *testing.T) {
	seen := map[bool]bool{}
	for _, total := range []int{64, 100, 110, 128, 300} {
		own := mustTable(t, total).Ranges(total - 1)
		text := own.Selector()
		if len(text) > MaxSelector {
			t.Errorf("selector of %d ranges has %d bytes", len(own), len(text))
		}
		seen[text == ""] = true
		if text != "" {
			parse(t, text)
		}
	}
	if !seen[true] || !seen[false] {
		t.Errorf("the totals of this test must lie on both sides of the bound, got %v", seen)
	}
}
