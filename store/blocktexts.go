package store

import (
	"iter"
	"slices"
)

// PageText is the text of one page: what one family says of the objects of a
// bucket.
type BlockText struct {
	Family string
	Text   []byte // lines; valid until the next page is asked for
	Memory int64  // bytes that the page takes, raw and packed
}

// Texts goes through the text of all pages that are shown. It is for looking at
// what is there and no scrape: nothing counts as collected, nothing is deflated,
// and nothing that it inflates is kept. It takes the store's mutex once for each
// bucket, for as long as it takes to copy the text of its raw pages.
//
// A bucket is seen at one moment, the whole is not: objects that move meanwhile
// can be missed, or come twice.
func (s *Store) BlockTexts() iter.Seq[BlockText] {
	return func(yield func(BlockText) bool) {
		var memory []byte
		for n := 0; ; n++ {
			blocks, more := s.copyBlocks(n)
			if !more {
				return
			}
			for _, p := range blocks {
				text := p.raw
				if p.compressed != nil {
					memory = slices.Grow(memory[:0], int(p.compressed.size))[:p.compressed.size]
					if s.budget.codec.decompress(memory, p.compressed) != nil {
						continue // memory corrupted; whoever needs the page will say so
					}
					text = memory
				}
				if !yield(BlockText{Family: s.families[p.family].Name, Text: text, Memory: p.memory}) {
					return
				}
			}
		}
	}
}

// peeked is a page as it was at one moment: a copy of raw text, or packed text,
// which never changes.
type blockCopy struct {
	family     int
	raw        []byte
	compressed *compressedText
	memory     int64
}

// peek looks at the bucket with this number. It has no pages when there is none,
// or when it is hidden; more is false behind the last one.
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
		p := blockCopy{family: f, memory: w.raw + w.compressed}
		if r := blk.raw.Load(); r != nil {
			p.raw = slices.Clone(r.text)
		} else {
			p.compressed = blk.compressed.Load()
			if t := p.compressed.patch; t != nil {
				t.frozen = true
			}
		}
		blocks = append(blocks, p)
	}
	return blocks, true
}
