package store

import (
	"encoding/binary"
	"errors"
	"slices"
)

// ErrMoved is returned by Save when objects have moved between buckets meanwhile: SetPartitioning
// was called.
var ErrMoved = errors.New("objects have moved between buckets")

// Save passes the encoded objects and blocks to emit, bucket by bucket; see Load. emit must not keep
// its argument. Each bucket is captured at one moment, but not all at the same. An object that stays
// stored while Save runs is saved in at least one version. An object that is put or deleted meanwhile
// may be saved or not, and one that is deleted and put again may be saved twice.
//
// Save holds the store's mutex for one bucket at a time, never while text is compressed or while
// emit runs. It compresses what a gzip scrape would compress.
func (s *Store) Save(emit func(bucket []byte) error) error {
	s.partitionMu.Lock() // waits until a sweep has merged its buckets
	s.saving.Add(1)
	defer s.saving.Add(-1)
	s.mu.Lock()
	moves := s.moves
	s.mu.Unlock()
	s.partitionMu.Unlock()
	var buf []byte
	for n, more := 0, true; more; n++ {
		var blocks []*block
		if buf, blocks, more = s.captureBucket(n, buf[:0]); len(buf) == 0 {
			continue
		}
		if err := emit(appendBlocks(buf, blocks)); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.moves != moves {
		return ErrMoved
	}
	return nil
}

// captureBucket encodes the slots of the bucket with this number, and returns its blocks, which are
// frozen from then on. It appends nothing if there is no such bucket. more is false past the last
// one.
func (s *Store) captureBucket(number int, dst []byte) (slots []byte, blocks []*block, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if number >= len(s.buckets) {
		return dst, nil, false
	}
	b := s.buckets[number]
	if b == nil || b.used == 0 {
		return dst, nil, true
	}
	var expiring uint64
	for i := range slotsOf(b.used) {
		if _, is := s.expiring[b.slots[i].id]; is {
			expiring |= 1 << i
		}
	}
	dst = binary.LittleEndian.AppendUint64(dst, b.used)
	dst = binary.LittleEndian.AppendUint64(dst, expiring)
	for i := range slotsOf(b.used) {
		dst = appendSlot(dst, &b.slots[i])
	}
	blocks = slices.Clone(b.blocks)
	for _, blk := range blocks {
		if blk != nil {
			blk.freeze()
		}
	}
	return dst, blocks, true
}

// appendSlot encodes a slot.
func appendSlot(dst []byte, sl *slot) []byte {
	dst = append(dst, sl.id[:]...)
	dst = binary.LittleEndian.AppendUint64(dst, sl.hash)
	dst = binary.LittleEndian.AppendUint64(dst, sl.version)
	dst = binary.LittleEndian.AppendUint32(dst, sl.source)
	for _, word := range sl.fingerprints {
		dst = binary.LittleEndian.AppendUint64(dst, word)
	}
	return dst
}

// appendBlocks encodes frozen blocks.
func appendBlocks(dst []byte, blocks []*block) []byte {
	for f, blk := range blocks {
		if blk == nil {
			continue
		}
		ct := blk.compress()
		dst = binary.AppendUvarint(dst, uint64(f))
		dst = binary.AppendUvarint(dst, uint64(ct.size))
		dst = binary.AppendUvarint(dst, uint64(ct.dataLen))
		dst = binary.AppendUvarint(dst, uint64(len(ct.buf)))
		dst = binary.LittleEndian.AppendUint32(dst, ct.crc)
		dst = binary.LittleEndian.AppendUint32(dst, ct.crcFactor) // it takes a microsecond to compute
		dst = append(dst, ct.buf...)
	}
	return dst
}

// Key returns the key of the store's fingerprints, for Load.
func (s *Store) Key() HashKey { return s.key }
