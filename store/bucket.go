package store

import (
	"iter"
	"math/bits"
)

const (
	// slotsPerBucket makes pages of 10 to 30 kB of most families: smaller ones
	// compress badly, larger ones cost more to open for one changed line.
	slotsPerBucket = 64
	// bucketText closes a bucket to new objects early when they are large, so
	// that work on one bucket stays short.
	maxBucketText = 2 << 20
	// roomy is how many free slots make it worth to open a settled bucket for
	// a new object, rather than to start another.
	minFreeSlots = slotsPerBucket / 4
)

// bucket holds up to slotsPerBucket objects and one page per family. The
// store's mutex guards it.
type bucket struct {
	store  *Store
	number uint32 // index in the store's table
	seq    uint64 // orders buckets by age

	partitioning *partitioning // that the bucket was sorted by; an older one than the store's while Divide is at work
	partition    Partition     // of all its objects, by that division
	visible      bool

	used   uint64 // bit per slot
	slots  []slot
	blocks []*block // per family; nil without text; nil slice once discarded
	totals totals

	lru *lruEntry // in the budget, guarded by its mutex
}

// slot is one object of a bucket.
type slot struct {
	id           ID
	hash         uint64
	version      uint64
	source       uint32
	mark         uint32 // the store's round when last put or named by Retain
	fingerprints fingerprints
}

// place says where an object is: bucket number and slot.
type slotRef uint32

func slotRefOf(b *bucket, slot int) slotRef { return slotRef(b.number*slotsPerBucket + uint32(slot)) }

func (p slotRef) bucket() uint32 { return uint32(p) / slotsPerBucket }
func (p slotRef) slot() int      { return int(p % slotsPerBucket) }

func (b *bucket) count() int { return bits.OnesCount64(b.used) }

// room is how many more objects fit.
func (b *bucket) freeSlots() int {
	if b.totals.text >= maxBucketText {
		return 0
	}
	return slotsPerBucket - b.count()
}

// hot says that most of the text is raw: a new object costs little here.
func (b *bucket) mostlyRaw() bool { return b.totals.raw*2 >= b.totals.text }

// open says that new objects may go here.
func (b *bucket) accepts() bool {
	room := b.freeSlots()
	return room >= minFreeSlots || room > 0 && b.mostlyRaw()
}

// take reserves the lowest free slot; there must be one.
func (b *bucket) allocSlot() int {
	i := bits.TrailingZeros64(^b.used)
	b.used |= 1 << i
	if i == len(b.slots) {
		b.slots = append(b.slots, slot{})
	}
	return i
}

// families is the union of the families the slots of the mask have text in.
func (b *bucket) familiesOf(mask uint64) fingerprints {
	present := make(fingerprints, bitmapWords(len(b.blocks)))
	for i := range slotsOf(mask) {
		for w := range min(len(present), len(b.slots[i].fingerprints)) {
			present[w] |= b.slots[i].fingerprints[w]
		}
	}
	return present
}

// slotsOf goes through the bits of a mask from the lowest.
func slotsOf(mask uint64) iter.Seq[int] {
	return func(yield func(int) bool) {
		for ; mask != 0; mask &= mask - 1 {
			if !yield(bits.TrailingZeros64(mask)) {
				return
			}
		}
	}
}
