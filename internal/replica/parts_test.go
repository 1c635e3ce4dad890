package replica

import (
	"testing"

	"github.com/statefleet/statefleet/shard"
	"github.com/statefleet/statefleet/store"
)

func TestPartsAreDistinctSetsOfHashes(t *testing.T) {
	low, high := shard.Ranges{{Start: 0, End: 9}}, shard.Ranges{{Start: 10, End: 19}}
	p := newParts(low, nil, high, low, shard.Ranges{})
	if len(p) != 2 || !p[0].Equal(low) || !p[1].Equal(high) {
		t.Fatalf("got %v, want the two sets that are not empty, once each", p)
	}
	if !p.contains([]shard.Ranges{low, nil, high}) || p.contains([]shard.Ranges{low, {{Start: 30, End: 39}}}) {
		t.Error("contains is not true for exactly the sets of the parts")
	}
	for hash, want := range map[uint64]store.Partition{5: 1, 15: 2, 25: 0} {
		if got := p.partition(hash); got != want {
			t.Errorf("hash %d: got partition %d, want %d", hash, got, want)
		}
	}
	all := p.within(low.Union(high).Union(shard.Ranges{{Start: 30, End: 39}}))
	low5, high15, none := p.partition(5), p.partition(15), p.partition(25)
	has := func(set store.PartitionSet, partition store.Partition) bool { return set>>partition&1 == 1 }
	if !has(all, low5) || !has(all, high15) || has(all, none) {
		t.Error("the union of both sets does not have exactly the partitions of their hashes")
	}
	if only := p.within(high.Union(shard.Ranges{{Start: 0, End: 8}})); has(only, low5) || !has(only, high15) {
		t.Error("one set and a part of another do not have exactly the partition of the first one")
	}
}
