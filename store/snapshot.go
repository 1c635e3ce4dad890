package store

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
)

// Format is an exposition format.
type Format int

// The formats differ in the family headers and in the end of the exposition.
const (
	Text        Format = iota // Prometheus text format 0.0.4
	OpenMetrics               // OpenMetrics 1.0, ends in "# EOF"
	numFormats
)

// Snapshot is an immutable view of one or more stores, ordered by family. Writing it takes no lock.
// It keeps memory of the stores alive, so release it after writing. A Snapshot is not safe for
// concurrent use.
type Snapshot struct {
	budget *Budget  // for its pools
	blocks []*block // headers, blocks and the end of the exposition, in order
	size   int64

	compressed []*compressedText // set by GzipSize
	gzipSize   int64
	crc        uint32
}

// TakeSnapshot takes a snapshot of the stores, in the given order. Each store is captured at one
// moment: an object appears once, complete, and in the same version in all its families, and a
// change of the visible partitions appears entirely or not at all. A family that several stores
// share forms one group, at its position in the first of them. The mutex of a store is held while
// one pointer per block is copied. Nothing is compressed or decompressed yet, because that depends
// on the encoding of the response.
func TakeSnapshot(f Format, stores ...*Store) *Snapshot {
	snap := &Snapshot{budget: budgetOf(stores)}
	blocks := make([][][]*block, len(stores))
	locations := map[string][]familyRef{} // of each family
	capacity := 1
	for n, s := range stores {
		blocks[n] = s.visibleBlocks()
		capacity += (len(blocks[n]) + 1) * len(s.families)
		for i, family := range s.families {
			locations[family.Name] = append(locations[family.Name], familyRef{n, i})
		}
	}
	snap.blocks = make([]*block, 0, capacity)
	for n, s := range stores {
		for i, family := range s.families {
			if all := locations[family.Name]; all[0] == (familyRef{n, i}) {
				snap.addFamily(s.headers[f][i], all, blocks)
			}
		}
	}
	if f == OpenMetrics {
		snap.add(snap.budget.eof)
	}
	return snap
}

// addFamily adds the header and the blocks of a family. A family without blocks gets no header.
func (snap *Snapshot) addFamily(header *block, refs []familyRef, blocks [][][]*block) {
	headerPending := true
	for _, ref := range refs {
		for _, bucket := range blocks[ref.store] {
			if bucket[ref.family] == nil {
				continue
			}
			if headerPending {
				snap.add(header)
				headerPending = false
			}
			snap.add(bucket[ref.family])
		}
	}
}

// familyRef is the position of a family: index of the store, and of the family in that store.
type familyRef struct{ store, family int }

// budgetOf returns the budget whose pools serve a snapshot of these stores.
func budgetOf(stores []*Store) *Budget {
	if len(stores) == 0 {
		return NewBudget(0)
	}
	return stores[0].budget
}

func (snap *Snapshot) add(blk *block) {
	snap.blocks = append(snap.blocks, blk)
	snap.size += int64(blk.size())
}

// visibleBlocks returns the blocks of each visible bucket. The blocks are frozen from then on.
func (s *Store) visibleBlocks() (blocks [][]*block) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch++
	families := len(s.families)
	all := make([]*block, 0, len(s.buckets)*families)
	for _, b := range s.buckets {
		if b != nil && b.visible {
			start := len(all)
			all = append(all, b.blocks...)
			blocks = append(blocks, all[start:])
		}
	}
	return blocks
}

// Size is the length of the uncompressed text in bytes.
func (snap *Snapshot) Size() int64 { return snap.size }

// Release drops the references to the stores' memory. The snapshot is empty afterwards.
func (snap *Snapshot) Release() { *snap = Snapshot{budget: snap.budget} }

// One gzip member (RFC 1952): header, the data of the blocks, an empty final deflate block, CRC-32
// and length. The data of each block ends on a byte boundary, so it is copied as it is.
var (
	gzipHeader = [...]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255} // deflate, no time, unknown system
	gzipEnd    = [...]byte{0x03, 0x00}                           // empty final deflate block with fixed codes
)

const gzipTrailer = 8

// GzipSize is exactly how many bytes WriteGzip writes. It compresses the blocks that changed since
// the last gzip scrape. The stores keep the result.
func (snap *Snapshot) GzipSize() int64 {
	if snap.compressed != nil {
		return snap.gzipSize
	}
	snap.compressed = make([]*compressedText, len(snap.blocks))
	snap.gzipSize = int64(len(gzipHeader) + len(gzipEnd) + gzipTrailer)
	for i, blk := range snap.blocks {
		// Keep this form for WriteGzip: the size must not change if the block gets another one.
		ct := blk.compress()
		snap.compressed[i] = ct
		snap.gzipSize += int64(ct.dataLen)
		snap.crc = crcCombine(snap.crc, ct.crc, ct.crcFactor)
	}
	return snap.gzipSize
}

// WriteGzip writes the snapshot as one gzip member.
func (snap *Snapshot) WriteGzip(w io.Writer) error {
	snap.GzipSize()
	out := snap.budget.newWriter(w)
	defer snap.budget.releaseWriter(out)
	_, _ = out.Write(gzipHeader[:]) // Flush returns the error of any write
	for _, ct := range snap.compressed {
		_, _ = out.Write(ct.data())
	}
	_, _ = out.Write(gzipEnd[:])
	var trailer [gzipTrailer]byte
	binary.LittleEndian.PutUint32(trailer[:], snap.crc)
	binary.LittleEndian.PutUint32(trailer[4:], uint32(snap.size)) // modulo 2^32 by definition
	_, _ = out.Write(trailer[:])
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write snapshot as gzip: %w", err)
	}
	return nil
}

// WriteText writes the snapshot as plain text. It decompresses one block after the other, because
// clients that do not accept gzip are rare.
func (snap *Snapshot) WriteText(w io.Writer) error {
	out := snap.budget.newWriter(w)
	defer snap.budget.releaseWriter(out)
	for _, blk := range snap.blocks {
		if err := snap.writeText(out, blk); err != nil {
			return fmt.Errorf("write snapshot as text: %w", err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write snapshot as text: %w", err)
	}
	return nil
}

// writeText decompresses a block within the buffer of the writer. Few blocks are larger than that.
func (snap *Snapshot) writeText(out *bufio.Writer, blk *block) error {
	if r := blk.raw.Load(); r != nil {
		_, err := out.Write(r.text)
		return err
	}
	size := blk.size()
	if size > out.Available() {
		if err := out.Flush(); err != nil {
			return err
		}
	}
	text := slices.Grow(out.AvailableBuffer(), size)[:size]
	if err := snap.budget.codec.decompress(text, blk.compressed.Load()); err != nil {
		return err
	}
	_, err := out.Write(text)
	return err
}
