package store

import "math/bits"

// Part is a part of what a store holds that is shown or hidden as a whole: 0
// to MaxParts-1.
type Partition uint8

// MaxParts is how many parts there can be.
const maxPartitions = 32

// Parts is a set of parts.
type PartitionSet uint32

// PartsOf returns the set of the parts that a function admits.
func PartitionSetOf(admits func(Partition) bool) (all PartitionSet) {
	for p := range Partition(maxPartitions) {
		if admits(p) {
			all |= 1 << p
		}
	}
	return all
}

func (p PartitionSet) has(partition Partition) bool { return p>>partition&1 == 1 }

// division says which part an object belongs to. It is replaced, never changed.
type partitioning struct {
	partitionOf func(hash uint64) (p Partition, held bool)
}

// undivided is the division of a new store.
func singlePartition(uint64) (Partition, bool) { return 0, true }

// Divide sorts what is held, and what is put from here, into parts, so that Show
// can show and hide them at once. part says by hash where an object belongs; one
// that is not held in any part is dropped. shown are the parts that are shown
// from here.
//
// Objects are sorted bucket by bucket, and Divide returns when all are. So that
// readers see no half of it, what is shown should be in a part that is shown,
// and what is hidden in one that is hidden. part must be pure and not call the
// store.
//
// Until Loaded is called, the store takes it that objects arrive in bulk.
func (s *Store) SetPartitioning(partitionOf func(hash uint64) (p Partition, held bool), visible PartitionSet) {
	s.partitionMu.Lock()
	defer s.partitionMu.Unlock()
	s.mu.Lock()
	s.partitioning, s.visible, s.bulkLoading = &partitioning{partitionOf}, visible, true
	s.mu.Unlock()
	s.eachBucket(s.repartition)
}

// Show shows these parts from here and hides all others, at once.
func (s *Store) SetVisible(visible PartitionSet) {
	s.partitionMu.Lock()
	defer s.partitionMu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.visible = visible
	for _, b := range s.buckets {
		if b != nil {
			s.setPartition(b, b.partition)
		}
	}
}

// Loaded says that no more objects arrive in bulk: from here a bucket that fills
// is not packed at once, because what is new is likely to change again.
func (s *Store) EndBulkLoad() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bulkLoading = false
}

// assign makes the bucket one of a part.
func (s *Store) setPartition(b *bucket, p Partition) {
	b.partitioning, b.partition = s.partitioning, p
	if visible := s.visible.has(p); visible != b.visible {
		s.totalsOf(b).add(b.totals.negated())
		b.visible = visible
		s.totalsOf(b).add(b.totals)
	}
}

// in says whether the bucket takes objects of the part.
func (s *Store) inPartition(b *bucket, p Partition) bool {
	return b.partitioning == s.partitioning && b.partition == p
}

// sort leaves the objects of one part in the bucket, the part that most belong
// to, and moves the others to buckets of theirs. The caller holds s.mu.
func (s *Store) repartition(b *bucket) {
	if b.partitioning == s.partitioning { // made since
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
			dst := s.target(Partition(p))
			moved := lowestBits(mask, dst.freeSlots())
			s.moveObjects(b, moved, dst)
			mask &^= moved
		}
	}
	s.setPartition(b, Partition(largest))
}

// lowest are the lowest n bits that are set in the mask.
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

// eachBucket visits the buckets one by one, each under s.mu. Buckets that are
// made meanwhile may be missed.
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
