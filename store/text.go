package store

import (
	"fmt"
	"io"
)

// WriteText writes the snapshot as plain text. It decompresses one block after the other, because
// clients that do not accept gzip are rare.
func (snap *Snapshot) WriteText(w io.Writer) error {
	out := snap.budget.chunks.newWriter(w)
	defer out.release(&snap.budget.chunks)
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
		return fmt.Errorf("write snapshot as text: %w", out.err)
	}
	return nil
}
