package store

import (
	"fmt"
	"io"
)

// WriteText writes the page as plain text. Pages that are packed are inflated one after the
// other, because clients that do not take gzip are rare.
func (p *Page) WriteText(w io.Writer) error {
	out := p.budget.buffers.gather(w)
	defer out.release(&p.budget.buffers)
	for _, sh := range p.sheets {
		if r := sh.raw.Load(); r != nil {
			out.write(r.text)
			continue
		}
		out.fill(sh.size(), func(text []byte) error { return p.budget.codec.inflate(text, sh.packed.Load()) })
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
