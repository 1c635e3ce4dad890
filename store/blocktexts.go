package store

import (
	"iter"
	"slices"
)

// BlockText is the text of one block.
type BlockText struct {
	Family string
	Text   []byte // lines; valid until the next iteration
	Memory int64  // bytes that both forms of the block occupy
}

// BlockTexts iterates over the text of all visible blocks. It is meant for inspection: unlike a
// snapshot it compresses nothing and does not keep decompressed text. It holds the store's mutex
// once per bucket, while it copies the raw text.
//
// Each bucket is captured at one moment, but not all at the same: an object that moves meanwhile
// can be missing, or appear twice.
func (s *Store) BlockTexts() iter.Seq[BlockText] {
	return func(yield func(BlockText) bool) {
		var buf []byte
		for n := 0; ; n++ {
			blocks, more := s.copyBlocks(n)
			if !more {
				return
			}
			for _, blk := range blocks {
				text := blk.raw
				if blk.compressed != nil {
					buf = slices.Grow(buf[:0], int(blk.compressed.size))[:blk.compressed.size]
					if s.budget.codec.decompress(buf, blk.compressed) != nil {
						continue // memory is corrupted; the next change or scrape of the block reports it
					}
					text = buf
				}
				if !yield(BlockText{Family: s.families[blk.family].Name, Text: text, Memory: blk.memory}) {
					return
				}
			}
		}
	}
}

// blockCopy is the text of a block at one moment: a copy of the raw text, or the compressed text,
// which is immutable.
type blockCopy struct {
	family     int
	raw        []byte
	compressed *compressedText
	memory     int64
}

// copyBlocks returns the blocks of the bucket with this number, and none if the bucket is hidden or
// does not exist. more is false past the last bucket.
func (s *Store) copyBlocks(number int) (blocks []blockCopy, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if number >= len(s.buckets) {
		return nil, false
	}
	b := s.buckets[number]
	if b == nil || !b.visible {
		return nil, true
	}
	for f, blk := range b.blocks {
		if blk == nil {
			continue
		}
		w := usage(blk)
		c := blockCopy{family: f, memory: w.raw + w.compressed}
		if r := blk.raw.Load(); r != nil {
			c.raw = slices.Clone(r.text)
		} else {
			c.compressed = blk.compressed.Load()
			blk.freeze()
		}
		blocks = append(blocks, c)
	}
	return blocks, true
}
