package store

import (
	"iter"
	"math/bits"
)

const (
	// slotsPerBucket gives blocks of 10 to 30 kB for most families. Smaller blocks compress badly.
	// Larger blocks cost more when one line changes.
	slotsPerBucket = 64
	// maxBucketText closes a bucket with large objects to new ones, which limits the duration of an
	// operation on one bucket.
	maxBucketText = 2 << 20
	// minFreeSlots is how many slots must be free before a compressed bucket accepts a new object.
	// With fewer, starting another bucket is cheaper.
	minFreeSlots = slotsPerBucket / 4
)

// bucket holds up to slotsPerBucket objects and one block per family. The store's mutex guards it.
type bucket struct {
	store  *Store
	number uint32 // index in Store.buckets
	seq    uint64 // orders buckets by age

	partitioning *partitioning // differs from that of the store until SetPartitioning reaches the bucket
	group                      // of all its objects, by this partitioning
	visible      bool

	used   uint64 // bit per slot
	slots  []slot
	blocks []*block // per family, nil without text; the slice is nil once the bucket is discarded
	totals totals

	lru lruEntry // guarded by Budget.mu
}

// slot holds what the store knows of one object of a bucket.
type slot struct {
	id           ID
	hash         uint64
	version      uint64
	source       uint32
	mark         uint32 // Store.mark when the object was last put or listed
	fingerprints fingerprints
}

// slotRef is the location of an object: bucket number and slot.
type slotRef uint32

func slotRefOf(b *bucket, slot int) slotRef { return slotRef(b.number*slotsPerBucket + uint32(slot)) }

func (p slotRef) bucket() uint32 { return uint32(p) / slotsPerBucket }
func (p slotRef) slot() int      { return int(p % slotsPerBucket) }

func (b *bucket) count() int { return bits.OnesCount64(b.used) }

// freeSlots is how many more objects the bucket can take.
func (b *bucket) freeSlots() int {
	if b.totals.text >= maxBucketText {
		return 0
	}
	return slotsPerBucket - b.count()
}

// mostlyRaw reports whether at least half of the text is raw, so that a new object is cheap to add.
func (b *bucket) mostlyRaw() bool { return b.totals.raw*2 >= b.totals.text }

// accepts reports whether the bucket may take new objects.
func (b *bucket) accepts() bool {
	free := b.freeSlots()
	return free >= minFreeSlots || free > 0 && b.mostlyRaw()
}

// allocSlot reserves the lowest free slot. The caller has checked that there is one.
func (b *bucket) allocSlot() int {
	i := bits.TrailingZeros64(^b.used)
	b.used |= 1 << i
	if i == len(b.slots) {
		b.slots = append(b.slots, slot{})
	}
	return i
}

// familiesOf returns the families in which at least one slot of the mask has text.
func (b *bucket) familiesOf(mask uint64) fingerprints {
	present := make(fingerprints, bitmapWords(len(b.blocks)))
	for i := range slotsOf(mask) {
		for w := range min(len(present), len(b.slots[i].fingerprints)) {
			present[w] |= b.slots[i].fingerprints[w]
		}
	}
	return present
}

// slotsOf iterates over the set bits of a mask, lowest first.
func slotsOf(mask uint64) iter.Seq[int] {
	return func(yield func(int) bool) {
		for ; mask != 0; mask &= mask - 1 {
			if !yield(bits.TrailingZeros64(mask)) {
				return
			}
		}
	}
}
