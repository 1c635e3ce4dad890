package store

import (
	"fmt"
	"io"
)

// WriteText writes the page as plain text. Pages that are packed are inflated one after the
// other, because clients that do not take gzip are rare.
func (snap *Snapshot) WriteText(w io.Writer) error {
	out := snap.budget.buffers.newWriter(w)
	defer out.release(&snap.budget.buffers)
	for _, blk := range snap.blocks {
		if r := blk.raw.Load(); r != nil {
			out.write(r.text)
			continue
		}
		out.fill(blk.size(), func(text []byte) error { return snap.budget.codec.decompress(text, blk.compressed.Load()) })
		if out.err != nil {
			break
		}
	}
	out.flush()
	if out.err != nil {
		return fmt.Errorf("write page as text: %w", out.err)
	}
	return nil
}
