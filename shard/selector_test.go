package shard

import (
	"math"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/sharding"
	"k8s.io/apimachinery/pkg/types"
)

// term has the rules of the API server's parser (k8s.io/apiserver/pkg/sharding): 16 digits, lower case, or 2^64.
var term = regexp.MustCompile(`^shardRange\(object\.metadata\.uid, '(0x[0-9a-f]{16})', '(0x[0-9a-f]{16}|0x10000000000000000)'\)$`)

// parse returns the selector of apimachinery for the text. An API server matches objects with it.
func parse(t *testing.T, text string) sharding.Selector {
	t.Helper()
	var reqs []sharding.ShardRangeRequirement
	for _, part := range strings.Split(text, " || ") {
		m := term.FindStringSubmatch(part)
		if m == nil {
			t.Fatalf("the API server would reject %q", part)
		}
		if !sharding.HexLess(m[1], m[2]) {
			t.Fatalf("start must be less than end in %q", part)
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

func TestSelectorMatchesTheSameObjectsAsContains(t *testing.T) {
	ids := uuids(500)
	for _, total := range []int{2, 3, 7, 64} {
		table := mustTable(t, total)
		for _, ordinal := range []int{0, total / 2, total - 1} {
			own := table.Ranges(ordinal)
			selector := parse(t, own.Selector())
			if got := selector.String(); got != own.Selector() {
				t.Fatalf("round trip of the selector: got %q, want %q", got, own.Selector())
			}
			for _, uid := range ids {
				obj := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{UID: types.UID(uid)}}
				server, err := selector.Matches(obj)
				if err != nil {
					t.Fatal(err)
				}
				if client := own.Contains(Hash(uid)); client != server {
					t.Fatalf("ordinal %d of %d, UID %s: the client selects it: %v, the server: %v", ordinal, total, uid, client, server)
				}
			}
		}
	}
}

// In large fleets the selector is coarser, but no replica requests everything.
func TestEveryReplicaSendsASelector(t *testing.T) {
	for _, total := range []int{2, 16, 55, 56, 64, 109, 110, 128, 200} {
		table := mustTable(t, total)
		for ordinal := range total {
			for _, held := range []Ranges{
				table.Ranges(ordinal), table.Ranges(ordinal).Union(table.Ranges(Neighbour(ordinal, total))),
			} {
				text := held.Selector()
				switch {
				case held.Equal(All()): // two replicas with standby
					continue
				case text == "":
					t.Errorf("replica %d of %d with %d ranges requests everything", ordinal, total, len(held))
					continue
				case len(text) > MaxSelector:
					t.Errorf("replica %d of %d: selector of %d bytes, want at most %d", ordinal, total, len(text), MaxSelector)
				}
				parse(t, text)
				if left := held.Difference(mustParse(t, text)); len(left) > 0 {
					t.Errorf("replica %d of %d does not request %v", ordinal, total, left)
				}
			}
		}
	}
}

func mustParse(t *testing.T, text string) Ranges {
	t.Helper()
	r, err := ParseSelector(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// randomRanges returns about n ranges. Small gaps and ranges are as likely as large ones.
func randomRanges(random *rand.Rand, n int) Ranges {
	var all Ranges
	for range n {
		start := random.Uint64() >> random.IntN(64)
		all = append(all, Range{Start: start, End: start + random.Uint64()>>(1+random.IntN(63))})
	}
	return all.Union(nil)
}

// The test compares each selector with all possible ones.
func TestCoarseSelectorIsTheSmallestThatFits(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	coarser := 0
	for range 2000 {
		own := randomRanges(random, 1+random.IntN(9))
		if len(own) == 0 {
			continue
		}
		limit := random.IntN(10 * len(Range{End: 1}.term()))
		text := own.SelectorWithin(limit)
		best, fits := smallestCover(own, limit)
		switch {
		case len(text) > limit:
			t.Fatalf("%v: selector of %d bytes, want at most %d", own, len(text), limit)
		case text == "" && fits && best.Fraction() < widestSelector:
			t.Fatalf("%v in %d bytes: no selector, want one for %v, which fits", own, limit, best)
		case text == "":
			continue
		}
		got := mustParse(t, text)
		if left := own.Difference(got); len(left) > 0 {
			t.Fatalf("%v in %d bytes: the selector does not request %v", own, limit, left)
		}
		if got.size() != best.size() {
			t.Fatalf("%v in %d bytes: the selector requests %v, want %v, which is smaller", own, limit, got, best)
		}
		if !got.Equal(own) {
			coarser++
		}
	}
	if coarser < 200 {
		t.Errorf("%d selectors were coarser than the ranges, want at least 200", coarser)
	}
}

// smallestCover tries all sets of gaps that may be filled.
func smallestCover(own Ranges, limit int) (best Ranges, ok bool) {
	for filled := range 1 << (len(own) - 1) {
		cover := Ranges{own[0]}
		for i, x := range own[1:] {
			if last := &cover[len(cover)-1]; filled>>i&1 == 1 {
				last.End = x.End
			} else {
				cover = append(cover, x)
			}
		}
		var terms []string
		for _, x := range cover {
			terms = append(terms, x.term())
		}
		if len(strings.Join(terms, separator)) <= limit && (!ok || cover.size() < best.size()) {
			best, ok = cover, true
		}
	}
	return best, ok
}

func TestSelectorForNearlyEverythingIsNotSent(t *testing.T) {
	nearly := Ranges{{0, 1 << 62}, {1<<62 + 1, 1 << 63}, {1<<63 + 2, 0}}
	if nearly.Selector() == "" {
		t.Error("no selector for ranges that fit")
	}
	if text := nearly.SelectorWithin(2 * len(nearly[:1].Selector())); text != "" {
		t.Errorf("got the selector %s for all but one hash, want none", text)
	}
}

func TestSelectorParserAcceptsAnySpacing(t *testing.T) {
	want := Ranges{{1, 10}, {255, 0}}
	text := want.Selector()
	for _, c := range []string{
		text,
		strings.ReplaceAll(text, " ", ""),
		strings.ReplaceAll(text, "'", `"`),
		" " + strings.ReplaceAll(text, ",", " , ") + "\n",
		want[1].term() + "||" + want[0].term() + "||" + want[0].term(),
	} {
		if got, err := ParseSelector(c); err != nil || !got.Equal(want) {
			t.Errorf("%s: got %v, error %v, want %v", c, got, err, want)
		}
	}
	for _, c := range []string{
		"", "x", text + " ||", text + " && " + text, strings.ReplaceAll(text, ".uid", ".namespace"),
		strings.ReplaceAll(text, "'", ""), strings.ReplaceAll(text, "0x", ""),
		"shardRange(object.metadata.uid, '0x10000000000000000', '0x10000000000000000')",
		"shardRange(object.metadata.uid, '0x0000000000000001', '0x0000000000000001')",
		"shardRange(object.metadata.uid, '0x0000000000000000', '0x0000000000000000')",
		"shardRange(object.metadata.uid, '0x0', '0x8000000000000000')",
		"shardRange(object.metadata.uid, '0x0000000000000001')",
	} {
		if got, err := ParseSelector(c); err == nil {
			t.Errorf("%q: got %v, want an error", c, got)
		}
	}
}

// The API server parses the same set or, if the selector would be too long, a superset.
func FuzzSelector(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("0123456789abcdef0123456789abcdef"))
	f.Add([]byte("\x01aaaaaaa\x80bbbbbbb\x80ccccccc\x00ddddddd"))
	f.Fuzz(func(t *testing.T, data []byte) {
		own := decodeRanges(data).Union(nil)
		text := own.Selector()
		fits := len(own) < 80 // of less than 100 bytes each
		if text == "" {
			if len(own) > 0 && !own.Equal(All()) && fits {
				t.Fatalf("%v: no selector", own)
			}
			return
		}
		parse(t, text)
		read := mustParse(t, text)
		if fits && !read.Equal(own) || len(own.Difference(read)) > 0 {
			t.Fatalf("selector of %v: got %s", own, text)
		}
	})
}

// Every hash has one owner, and a table with one more replica moves hashes only to the new one.
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
		owner := ownerOf(table, hash)
		for ordinal := range n {
			if table.Ranges(ordinal).Contains(hash) != (ordinal == owner) {
				t.Fatalf("%d replicas: the owner of %#x is %d, but the ranges of %d disagree", n, hash, owner, ordinal)
			}
		}
		if owner < 0 || owner >= n {
			t.Fatalf("%d replicas: the owner of %#x is %d, want 0 to %d", n, hash, owner, n-1)
		}
		if next := ownerOf(grown, hash); next != owner && next != n {
			t.Fatalf("%d to %d replicas: hash %#x moves from %d to %d", n, n+1, hash, owner, next)
		}
	})
}
