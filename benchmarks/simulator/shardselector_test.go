package simulator

import (
	"fmt"
	"math/rand/v2"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/sharding"
)

const (
	wholeRange = "shardRange(object.metadata.uid, '0x0000000000000000', '0x10000000000000000')"
	lowerHalf  = "shardRange(object.metadata.uid, '0x0000000000000000', '0x8000000000000000')"
	upperHalf  = "shardRange(object.metadata.uid, '0x8000000000000000', '0x10000000000000000')"
)

func TestParseShardSelectorRefuses(t *testing.T) {
	for _, text := range []string{
		"", " ", "x", "shardRange", "shardRange(", "shardRange()", lowerHalf + " ||", lowerHalf + " && " + upperHalf,
		lowerHalf + " x", "(" + lowerHalf, lowerHalf + ")",
		"shardRange(object.metadata.namespace, '0x0000000000000000', '0x8000000000000000')",
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
	} {
		if s, err := parseShardSelector(text); err == nil {
			t.Errorf("%q: parsed as %q, want an error", text, s.text)
		}
	}
}

func TestShardSelectorMatchesLikeTheAPIMachinery(t *testing.T) {
	random, uids := rand.New(rand.NewPCG(1, 0)), New(Options{Seed: 1})
	for range 200 {
		uid, err := uids.newUID()
		if err != nil {
			t.Fatal(err)
		}
		var requirements []sharding.ShardRangeRequirement
		for range 1 + random.IntN(3) {
			start, end := random.Uint64(), random.Uint64()
			if random.IntN(4) == 0 {
				start = hash64(string(uid)) // tests the bounds
			}
			if start >= end {
				start, end = end, max(start, end+1)
			}
			requirements = append(requirements, sharding.ShardRangeRequirement{
				Key: "object.metadata.uid", Start: fmt.Sprintf("0x%016x", start), End: fmt.Sprintf("0x%016x", end),
			})
		}
		like := sharding.NewSelector(requirements...)
		s, err := parseShardSelector(like.String())
		if err != nil {
			t.Fatal(err)
		}
		want, err := like.Matches(&metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{UID: uid}})
		if err != nil {
			t.Fatal(err)
		}
		if got := s.matches(&object{uidHash: hash64(string(uid))}); got != want {
			t.Errorf("%s: match of UID %s: got %t, want %t", s.text, uid, got, want)
		}
	}
}
