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

// BlockTexts iterates over the text of all visible blocks at one moment, like a snapshot. It
// compresses nothing, and keeps no decompressed text.
func (s *Store) BlockTexts() iter.Seq[BlockText] {
	return func(yield func(BlockText) bool) {
		var buf []byte
		for _, blocks := range s.visibleBlocks() {
			for f, blk := range blocks {
				if blk == nil {
					continue
				}
				w := usage(blk)
				one := BlockText{Family: s.families[f].Name, Memory: w.raw + w.compressed}
				if r := blk.raw.Load(); r != nil {
					one.Text = r.text
				} else {
					buf = slices.Grow(buf[:0], blk.size())[:blk.size()]
					if s.budget.codec.decompress(buf, blk.compressed.Load()) != nil {
						continue // memory is corrupted; the next change or scrape of the block reports it
					}
					one.Text = buf
				}
				if !yield(one) {
					return
				}
			}
		}
	}
}
