package shard

import (
	"math"
	"regexp"
	"strconv"
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

// FuzzSelector: what the server reads is the set that was written, unless nothing is asked for.
func FuzzSelector(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("0123456789abcdef0123456789abcdef"))
	f.Add([]byte("\x01aaaaaaa\x80bbbbbbb\x80ccccccc\x00ddddddd"))
	f.Fuzz(func(t *testing.T, data []byte) {
		own := decodeRanges(data).Union(nil)
		text := own.Selector()
		if text == "" {
			if len(own) > 0 && !own.Equal(All()) && len(own) < 80 { // of less than 100 bytes each
				t.Fatalf("%v: no selector", own)
			}
			return
		}
		parse(t, text)
		var read Ranges
		for _, part := range strings.Split(text, " || ") {
			m := term.FindStringSubmatch(part)
			start, _ := strconv.ParseUint(m[1], 0, 64)
			end, err := strconv.ParseUint(m[2], 0, 64)
			if m[2] == endOfRing {
				end, err = 0, nil
			}
			if err != nil {
				t.Fatal(err)
			}
			read = append(read, Range{start, end})
		}
		if !read.Equal(own) {
			t.Fatalf("%v became %s", own, text)
		}
	})
}

// FuzzTable: every hash has one owner, and a table with one replica more gives hashes to the new one only.
func FuzzTable(f *testing.F) {
	f.Add(uint8(1), uint64(0))
	f.Add(uint8(3), uint64(1<<63))
	f.Add(uint8(100), uint64(math.MaxUint64))
	var tables []Table
	for n := 1; n <= 101; n++ {
		tables = append(tables, mustTable(f, n))
	}
	f.Fuzz(func(t *testing.T, total uint8, hash uint64) {
		n := int(total)%100 + 1
		table, grown := tables[n-1], tables[n]
		owner := table.Owner(hash)
		for ordinal := range n {
			if table.Ranges(ordinal).Contains(hash) != (ordinal == owner) {
				t.Fatalf("of %d replicas %d owns %#x, and so does %d", n, owner, hash, ordinal)
			}
		}
		if owner < 0 || owner >= n {
			t.Fatalf("of %d replicas none owns %#x", n, hash)
		}
		if next := grown.Owner(hash); next != owner && next != n {
			t.Fatalf("from %d replicas to one more, %#x goes from %d to %d", n, hash, owner, next)
		}
	})
}
