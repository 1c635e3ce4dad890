package replica

import (
	"slices"

	"github.com/statefleet/statefleet/shard"
	"github.com/statefleet/statefleet/store"
)

// parts are sets of hashes by which the stores are partitioned. The partition of a hash has one bit
// for each set that contains the hash.
type parts []shard.Ranges

// newParts returns the distinct sets without empty ones. There may be at most five.
func newParts(sets ...shard.Ranges) parts {
	var all parts
	for _, set := range sets {
		if !all.contains([]shard.Ranges{set}) { // an empty set is always contained
			all = append(all, set)
		}
	}
	return all
}

// partition returns the partition of a hash; 0 if no set contains it.
func (p parts) partition(hash uint64) (partition store.Partition) {
	for i, set := range p {
		if set.Contains(hash) {
			partition |= 1 << i
		}
	}
	return partition
}

// contains reports whether the stores are partitioned by each of these sets. Empty ones are
// ignored.
func (p parts) contains(sets []shard.Ranges) bool {
	for _, set := range sets {
		if len(set) > 0 && !slices.ContainsFunc(p, set.Equal) {
			return false
		}
	}
	return true
}

// within returns the partitions of the sets that lie in the ranges. These may be a union of sets, as
// while a replica serves its neighbour's shard.
func (p parts) within(ranges shard.Ranges) store.PartitionSet {
	var bits store.Partition
	for i, set := range p {
		if len(set.Difference(ranges)) == 0 {
			bits |= 1 << i
		}
	}
	return store.PartitionSetOf(func(partition store.Partition) bool { return partition&bits != 0 })
}
