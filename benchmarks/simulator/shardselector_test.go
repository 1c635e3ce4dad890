package simulator

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/sharding"
	"k8s.io/apimachinery/pkg/types"
)

const (
	wholeRange = "shardRange(object.metadata.uid, '0x0000000000000000', '0x10000000000000000')"
	lowerHalf  = "shardRange(object.metadata.uid, '0x0000000000000000', '0x8000000000000000')"
	upperHalf  = "shardRange(object.metadata.uid, '0x8000000000000000', '0x10000000000000000')"
)

func TestParseShardSelector(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		s, err := parseShardSelector(text)
		if err != nil {
			t.Errorf("%s: got error %v", text, err)
		} else if s.text != want {
			t.Errorf("%s: got %s, want %s", text, s.text, want)
		}
	}
	f(lowerHalf, lowerHalf)
	f(lowerHalf+"||"+upperHalf, lowerHalf+" || "+upperHalf)
	f(" ( "+lowerHalf+" || ("+upperHalf+")) ", lowerHalf+" || "+upperHalf)
	f(strings.ReplaceAll(lowerHalf, "'", `"`), lowerHalf)
	f(strings.ReplaceAll(lowerHalf, ".uid", ".namespace"), strings.ReplaceAll(lowerHalf, ".uid", ".namespace"))
}

func TestParseShardSelectorRefuses(t *testing.T) {
	for _, text := range []string{
		"", " ", "x", "shardRange", "shardRange(", "shardRange()", lowerHalf + " ||", lowerHalf + " && " + upperHalf,
		lowerHalf + " x", "(" + lowerHalf, lowerHalf + ")",
		"shardRange(object.metadata.name, '0x0000000000000000', '0x8000000000000000')",
		"shardRange(object.metadata.uid, '0x0000000000000000')",
		"shardRange(object.metadata.uid, '0x0', '0x8')",
		"shardRange(object.metadata.uid, '0000000000000000', '8000000000000000')",
		"shardRange(object.metadata.uid, '0x8000000000000000', '0x8000000000000000')",
		"shardRange(object.metadata.uid, '0x8000000000000000', '0x0000000000000000')",
		"shardRange(object.metadata.uid, '0x10000000000000000', '0x10000000000000000')",
		"shardRange(object.metadata.uid, '0x0000000000000000', '0x20000000000000000')",
		"shardRange(object.metadata.uid, '0x000000000000000A', '0x000000000000000B')",
		"shardRange(object.metadata.uid, '0x+000000000000001', '0x8000000000000000')",
		"shardRange(object.metadata.uid, '0x0000000000000000, '0x8000000000000000)",
		"shardRange(object.metadata.uid, 0, 1)",
		lowerHalf + " || " + strings.ReplaceAll(upperHalf, ".uid", ".namespace"),
		strings.Repeat("(", 1000) + lowerHalf + strings.Repeat(")", 1000),
	} {
		if s, err := parseShardSelector(text); err == nil {
			t.Errorf("%q: parsed as %q, want an error", text, s.text)
		}
	}
}

// checkMatch compares a selector with that of k8s.io/apimachinery for one object.
func checkMatch(t *testing.T, s shardSelector, reqs []sharding.ShardRangeRequirement, namespace, uid string) {
	t.Helper()
	obj := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{UID: types.UID(uid), Namespace: namespace}}
	want, err := sharding.NewSelector(reqs...).Matches(obj)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.matches(&object{objectKey: objectKey{namespace: namespace}, uidHash: hash64(uid)}); got != want {
		t.Errorf("%s: match of namespace %s, UID %s: got %t, want %t", s.text, namespace, uid, got, want)
	}
}

func TestShardSelectorMatchesLikeTheAPIMachinery(t *testing.T) {
	random, uids := rand.New(rand.NewPCG(1, 0)), New(Options{Seed: 1})
	for range 200 {
		key := []string{shardByUID, shardByNamespace}[random.IntN(2)]
		id, err := uids.newUID()
		if err != nil {
			t.Fatal(err)
		}
		uid := string(id)
		start, end := random.Uint64(), random.Uint64()
		if random.IntN(4) == 0 {
			start = hash64(uid) // tests the bounds
		}
		if start >= end {
			start, end = end, max(start, end+1)
		}
		reqs := []sharding.ShardRangeRequirement{{Key: key, Start: fmt.Sprintf("0x%016x", start), End: fmt.Sprintf("0x%016x", end)}}
		s, err := parseShardSelector(sharding.NewSelector(reqs...).String())
		if err != nil {
			t.Fatal(err)
		}
		checkMatch(t, s, reqs, "ns", uid)
	}
}

func FuzzParseShardSelector(f *testing.F) {
	f.Add(lowerHalf)
	f.Add("(" + lowerHalf + ") || " + upperHalf)
	f.Add(wholeRange)
	f.Add("shardRange(object.metadata.namespace, \"0x00\", '')")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parseShardSelector(text)
		if err != nil {
			return
		}
		again, err := parseShardSelector(s.text)
		if err != nil {
			t.Fatalf("%q: normalized to %q, which is rejected: %v", text, s.text, err)
		}
		if again.text != s.text || len(again.ranges) != len(s.ranges) || s.empty() {
			t.Fatalf("%q: normalized to %q, and that to %q", text, s.text, again.text)
		}
	})
}
