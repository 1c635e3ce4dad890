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

func (p parts) index(set shard.Ranges) int { return slices.IndexFunc(p, set.Equal) }

// contains reports whether the stores are partitioned by each of these sets. Empty ones are
// ignored.
func (p parts) contains(sets []shard.Ranges) bool {
	for _, set := range sets {
		if len(set) > 0 && p.index(set) < 0 {
			return false
		}
	}
	return true
}

// union returns the partitions whose hashes are in at least one of the sets.
func (p parts) union(sets ...shard.Ranges) store.PartitionSet {
	var bits store.Partition
	for _, set := range sets {
		if i := p.index(set); i >= 0 {
			bits |= 1 << i
		}
	}
	return store.PartitionSetOf(func(partition store.Partition) bool { return partition&bits != 0 })
}
