package store

import (
	"maps"
	"math/bits"
)

// Partition is a subset of a store's objects that becomes visible or hidden as a whole. Its number
// is below 32.
type Partition uint8

// maxPartitions is the number of bits of a PartitionSet.
const maxPartitions = 32

// group is what all objects of a bucket have in common.
type group struct {
	partition Partition
	hidden    bool   // until Show(source)
	source    uint32 // of hidden objects; 0 for others
}

// groupOf returns the group of a new object.
func groupOf(o Object, p Partition) group {
	if o.Hidden {
		return group{partition: p, hidden: true, source: o.Source}
	}
	return group{partition: p}
}

// in returns the same group in another partition.
func (g group) in(p Partition) group {
	g.partition = p
	return g
}

// PartitionSet is a set of partitions, one bit each.
type PartitionSet uint32

// PartitionSetOf returns the set of all partitions for which contains returns true.
func PartitionSetOf(contains func(Partition) bool) (all PartitionSet) {
	for p := range Partition(maxPartitions) {
		if contains(p) {
			all |= 1 << p
		}
	}
	return all
}

func (p PartitionSet) has(partition Partition) bool { return p>>partition&1 == 1 }

// partitioning assigns objects to partitions. It is immutable; SetPartitioning replaces it.
type partitioning struct {
	partitionOf func(hash uint64) (p Partition, held bool)
}

// singlePartition is the partitioning of a new store.
func singlePartition(uint64) (Partition, bool) { return 0, true }

// SetPartitioning assigns the stored objects and all later ones to partitions, which SetVisible can
// then show and hide at once. partitionOf returns the partition of an object by its hash. Objects
// for which it returns held == false are deleted. The partitions in visible are visible from now
// on.
//
// Objects are moved bucket by bucket, and SetPartitioning returns when all are in place. To keep an
// intermediate state from readers, the caller should assign visible objects to visible partitions
// and hidden objects to hidden ones. partitionOf must be pure and must not call the store.
//
// The store then expects a bulk load, until EndBulkLoad is called.
func (s *Store) SetPartitioning(partitionOf func(hash uint64) (p Partition, held bool), visible PartitionSet) {
	s.partitionMu.Lock()
	defer s.partitionMu.Unlock()
	s.mu.Lock()
	s.partitioning, s.visible, s.bulkLoading = &partitioning{partitionOf}, visible, true
	s.mu.Unlock()
	s.eachBucket(s.repartition)
}

// SetVisible makes these partitions visible and hides all others, atomically.
func (s *Store) SetVisible(visible PartitionSet) {
	s.partitionMu.Lock()
	defer s.partitionMu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.visible = visible
	for _, b := range s.buckets {
		if b != nil {
			s.setGroup(b, b.group)
		}
	}
}

// Show makes the hidden objects of a source visible, atomically, as far as their partitions are
// visible; see Object.Hidden.
func (s *Store) Show(source uint32) {
	s.partitionMu.Lock()
	defer s.partitionMu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.buckets {
		if b != nil && b.hidden && b.source == source {
			s.setGroup(b, group{partition: b.partition})
		}
	}
	maps.DeleteFunc(s.current, func(g group, _ *bucket) bool { return g.hidden && g.source == source })
}

// EndBulkLoad ends the bulk load. From then on a full bucket is not compressed at once, because new
// objects usually change again soon.
func (s *Store) EndBulkLoad() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bulkLoading = false
}

// setGroup assigns the bucket to a group, by the current partitioning.
func (s *Store) setGroup(b *bucket, g group) {
	b.partitioning, b.group = s.partitioning, g
	if visible := s.visible.has(g.partition) && !g.hidden; visible != b.visible {
		s.totalsOf(b).add(-1, b.totals)
		b.visible = visible
		s.totalsOf(b).add(1, b.totals)
	}
}

// inGroup reports whether the bucket belongs to the group, by the current partitioning.
func (s *Store) inGroup(b *bucket, g group) bool {
	return b.partitioning == s.partitioning && b.group == g
}

// repartition keeps the objects of the largest partition in the bucket and moves the others to
// buckets of their partitions. The caller holds s.mu.
func (s *Store) repartition(b *bucket) {
	if b.partitioning == s.partitioning { // created since SetPartitioning
		return
	}
	var masks [maxPartitions]uint64
	var foreign uint64
	for i := range slotsOf(b.used) {
		if p, held := s.partitioning.partitionOf(b.slots[i].hash); held {
			masks[p] |= 1 << i
		} else {
			foreign |= 1 << i
		}
	}
	if foreign != 0 {
		s.remove(b, foreign)
	}
	if b.used == 0 {
		return
	}
	largest := 0
	for p, mask := range masks {
		if bits.OnesCount64(mask) > bits.OnesCount64(masks[largest]) {
			largest = p
		}
	}
	for p, mask := range masks {
		for p != largest && mask != 0 {
			dst := s.target(b.in(Partition(p)))
			moved := lowestBits(mask, dst.freeSlots())
			s.moveObjects(b, moved, dst)
			mask &^= moved
		}
	}
	s.setGroup(b, b.in(Partition(largest)))
}

// lowestBits returns the lowest n set bits of the mask.
func lowestBits(mask uint64, n int) (low uint64) {
	for i := range slotsOf(mask) {
		if n == 0 {
			break
		}
		low |= 1 << i
		n--
	}
	return low
}

// eachBucket calls visit for one bucket at a time, with s.mu held. It may miss buckets that are
// created meanwhile.
func (s *Store) eachBucket(visit func(b *bucket)) {
	for n, more := 0, true; more; n++ {
		s.mu.Lock()
		more = n < len(s.buckets)
		if more && s.buckets[n] != nil {
			visit(s.buckets[n])
		}
		s.mu.Unlock()
		s.budget.evict()
	}
}
