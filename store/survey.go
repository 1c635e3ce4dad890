package store

import (
	"iter"
	"slices"
)

// PageText is the text of one page: what one family says of the objects of a
// bucket.
type PageText struct {
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
func (s *Store) Texts() iter.Seq[PageText] {
	return func(yield func(PageText) bool) {
		var memory []byte
		for n := 0; ; n++ {
			pages, more := s.peek(n)
			if !more {
				return
			}
			for _, p := range pages {
				text := p.raw
				if p.packed != nil {
					memory = slices.Grow(memory[:0], int(p.packed.size))[:p.packed.size]
					if s.budget.codec.inflate(memory, p.packed) != nil {
						continue // memory corrupted; whoever needs the page will say so
					}
					text = memory
				}
				if !yield(PageText{Family: s.families[p.family].Name, Text: text, Memory: p.memory}) {
					return
				}
			}
		}
	}
}

// peeked is a page as it was at one moment: a copy of raw text, or packed text,
// which never changes.
type peeked struct {
	family int
	raw    []byte
	packed *packed
	memory int64
}

// peek looks at the bucket with this number. It has no pages when there is none,
// or when it is hidden; more is false behind the last one.
func (s *Store) peek(number int) (pages []peeked, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if number >= len(s.table) {
		return nil, false
	}
	b := s.table[number]
	if b == nil || !b.shown {
		return nil, true
	}
	for f, sh := range b.pages {
		if sh == nil {
			continue
		}
		w := weigh(sh)
		p := peeked{family: f, memory: w.raw + w.packed}
		if r := sh.raw.Load(); r != nil {
			p.raw = slices.Clone(r.text)
		} else {
			p.packed = sh.packed.Load()
			if t := p.packed.patch; t != nil {
				t.frozen = true
			}
		}
		pages = append(pages, p)
	}
	return pages, true
}
