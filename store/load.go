package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
)

// errMalformed means that a saved bucket cannot be decoded. Its checksum was right, so another
// program, or another version of this one, wrote it.
var errMalformed = errors.New("malformed bucket")

// SavedBucket is a bucket that Save has encoded.
type SavedBucket struct {
	bucket   *bucket
	expiring uint64 // slots of objects that are deleted but visible
}

// ParseBucket decodes a bucket of a store with the same families. It copies what it keeps of data.
func (s *Store) ParseBucket(data []byte) (*SavedBucket, error) {
	p := parser{data: data}
	used, expiring := p.uint64(), p.uint64()
	b := &bucket{store: s, used: used, blocks: make([]*block, len(s.families))}
	if p.failed || used == 0 || expiring&^used != 0 {
		return nil, fmt.Errorf("%w: slots %x, expiring %x", errMalformed, used, expiring)
	}
	b.slots = make([]slot, bits.Len64(used))
	for i := range slotsOf(used) {
		p.slot(&b.slots[i], len(s.families))
	}
	for last := -1; len(p.data) > 0 && !p.failed; {
		f := p.uvarint(math.MaxInt32)
		if f <= last || f >= len(s.families) {
			return nil, fmt.Errorf("%w: family of a block must be above %d and below %d, got %d", errMalformed, last, len(s.families), f)
		}
		blk := p.block()
		if p.failed || !b.matches(f, blk.compressed.Load()) {
			return nil, fmt.Errorf("%w: block of family %d does not match its slots", errMalformed, f)
		}
		b.blocks[f], last = blk, f
	}
	present := b.familiesOf(used)
	for f, blk := range b.blocks {
		if present.has(f) != (blk != nil) {
			return nil, fmt.Errorf("%w: block of family %d is missing", errMalformed, f)
		}
	}
	if p.failed {
		return nil, fmt.Errorf("%w: truncated", errMalformed)
	}
	return &SavedBucket{b, expiring}, nil
}

// matches reports whether the block of family f has text in exactly those slots whose fingerprints
// include f.
func (b *bucket) matches(f int, ct *compressedText) bool {
	lens, ok := parseLens(ct.buf[ct.dataLen:])
	var total uint64
	for i, n := range lens {
		if has := i < len(b.slots) && b.slots[i].fingerprints.has(f); has != (n > 0) {
			return false
		}
		total += uint64(n)
	}
	return ok && total == uint64(ct.size) && total > 0
}

// Load fills an empty store with saved buckets. key is the Key of the store that they were saved
// from. It removes expiring objects, and the older of two versions of an object. Call it before
// SetPartitioning, which then deletes what the replica must not hold.
func (s *Store) Load(key HashKey, saved []*SavedBucket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.key = key
	superseded := map[*bucket]uint64{}
	for _, sb := range saved {
		b := sb.bucket
		s.lastSeq++
		b.number, b.seq = uint32(len(s.buckets)), s.lastSeq
		s.buckets = append(s.buckets, b)
		s.setGroup(b, group{})
		s.account(b, 1, totals{buckets: 1, objects: b.count()})
		for _, blk := range b.blocks {
			s.account(b, 1, usage(blk))
		}
		for i := range slotsOf(b.used) {
			b.slots[i].mark = s.mark
			other, slot, held := s.find(b.slots[i].id)
			switch {
			case held && other.slots[slot].version > b.slots[i].version:
				superseded[b] |= 1 << i
				continue
			case held:
				superseded[other] |= 1 << slot
			}
			s.index[b.slots[i].id] = slotRefOf(b, i)
		}
	}
	for _, sb := range saved {
		b := sb.bucket
		if older := superseded[b]; older != 0 {
			s.deleteSlots(b, older) // the index has the newer version
		}
		if expired := sb.expiring & b.used; expired != 0 {
			s.remove(b, expired)
		}
	}
}

// parser decodes what Save has encoded. failed is set when data ends too early; values are 0 from
// then on.
type parser struct {
	data   []byte
	failed bool
}

func (p *parser) next(n int) []byte {
	if p.failed || n < 0 || n > len(p.data) {
		p.failed = true
		return nil
	}
	part := p.data[:n]
	p.data = p.data[n:]
	return part
}

func (p *parser) uint64() uint64 {
	if part := p.next(8); part != nil {
		return binary.LittleEndian.Uint64(part)
	}
	return 0
}

func (p *parser) uint32() uint32 {
	if part := p.next(4); part != nil {
		return binary.LittleEndian.Uint32(part)
	}
	return 0
}

func (p *parser) uvarint(limit uint64) int {
	n, width := binary.Uvarint(p.data)
	if width <= 0 || n > limit {
		p.failed = true
		return 0
	}
	p.next(width)
	return int(n)
}

// appendWords decodes n words.
func (p *parser) appendWords(dst fingerprints, n int) fingerprints {
	for part := p.next(8 * n); len(part) > 0; part = part[8:] {
		dst = append(dst, binary.LittleEndian.Uint64(part))
	}
	return dst
}

// slot decodes a slot.
func (p *parser) slot(sl *slot, families int) {
	copy(sl.id[:], p.next(len(ID{})))
	sl.hash, sl.version, sl.source = p.uint64(), p.uint64(), p.uint32()
	var stack [8]uint64
	bitmap, hashes := p.appendWords(stack[:0], bitmapWords(families)), 0
	for _, word := range bitmap {
		hashes += bits.OnesCount64(word)
	}
	if n := len(bitmap); families%64 != 0 && n > 0 && bitmap[n-1]>>(families%64) != 0 {
		p.failed = true // a family that does not exist
	}
	sl.fingerprints = p.appendWords(append(make(fingerprints, 0, len(bitmap)+hashes), bitmap...), hashes)
}

// block decodes a block after the number of its family.
func (p *parser) block() *block {
	size, dataLen, length := p.uvarint(math.MaxUint32), p.uvarint(math.MaxUint32), p.uvarint(math.MaxUint32)
	crc, factor := p.uint32(), p.uint32()
	if dataLen > length {
		p.failed = true
	}
	loaded := &struct { // one allocation for both
		block
		compressedText
	}{compressedText: compressedText{
		buf: slices.Clone(p.next(length)), dataLen: uint32(dataLen), size: uint32(size), crc: crc, crcFactor: factor,
	}}
	loaded.compressed.Store(&loaded.compressedText)
	return &loaded.block
}
