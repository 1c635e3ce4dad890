package store

import (
	"math/bits"
	"slices"
)

// The methods here change pages. All are called with s.mu held, and each works
// on one or two buckets.

// target is the bucket that takes the next object of this part: the current
// one until it is full, else the newest that is open, else a new one. So churn stays in a few
// hot buckets, and settled ones are left alone.
func (s *Store) target(p Part) *bucket {
	best := s.current[p]
	if best == nil || !s.in(best, p) || best.room() == 0 || best.pages == nil {
		best = nil
		for _, b := range s.table {
			if b != nil && s.in(b, p) && (best == nil || b.born > best.born) && b.open() {
				best = b
			}
		}
	}
	if best == nil {
		best = s.newBucket(p)
	}
	s.current[p] = best
	return best
}

func (s *Store) newBucket(p Part) *bucket {
	s.born++
	b := &bucket{store: s, born: s.born, pages: make([]*sheet, len(s.families)), listed: new(listed)}
	if n := len(s.vacant); n > 0 {
		b.number, s.vacant = s.vacant[n-1], s.vacant[:n-1]
		s.table[b.number] = b
	} else {
		b.number = uint32(len(s.table))
		s.table = append(s.table, b)
	}
	s.assign(b, p)
	s.account(b, totals{buckets: 1})
	return b
}

// discard takes a bucket off the table. Collected pages keep its sheets.
func (s *Store) discard(b *bucket) {
	s.account(b, b.totals.negative())
	s.table[b.number] = nil
	s.vacant = append(s.vacant, b.number)
	b.used, b.slots, b.pages = 0, nil, nil
	s.budget.note(b, false)
}

func (s *Store) account(b *bucket, d totals) {
	b.totals.add(d)
	s.totalsOf(b).add(d)
}

// edit replaces the text of one object in one page.
func (s *Store) edit(b *bucket, f, slot int, text []byte) {
	if s.amend(b, f, 1<<slot, text) {
		return
	}
	s.rewrite(b, f, len(text), func(r *raw) { r.splice(slot, text) })
}

// rewrite opens a page, lets change rework its text, which may grow by so many
// bytes, and keeps the totals.
func (s *Store) rewrite(b *bucket, f, grow int, change func(r *raw)) {
	before := weigh(b.pages[f])
	r := s.writable(b, f, grow)
	change(r)
	if len(r.text) == 0 {
		b.pages[f] = nil
	}
	s.account(b, before.negative())
	s.account(b, weigh(b.pages[f]))
}

// writable is the raw form of a page with room to grow: the one it has, when
// nobody else can see it, else a copy in a new sheet.
func (s *Store) writable(b *bucket, f, grow int) *raw {
	sh := b.pages[f]
	var r *raw
	if sh != nil {
		r = sh.raw.Load()
	}
	if r != nil && r.epoch == s.epoch && !r.frozen {
		if need := len(r.text) + grow; need > cap(r.text) {
			r.text = append(make([]byte, 0, s.capacity(b, f, need)), r.text...)
		}
		r.written = 0
		return r
	}
	fresh := &raw{home: b, family: f, epoch: s.epoch}
	if sh == nil {
		fresh.text = make([]byte, 0, s.capacity(b, f, grow))
		fresh.lens = make([]uint32, 0, slotsPerBucket)
	} else {
		text := make([]byte, sh.size(), s.capacity(b, f, sh.size()+grow))
		fresh.text, fresh.lens = s.load(sh, text)
	}
	sh = new(sheet)
	sh.raw.Store(fresh)
	b.pages[f] = sh
	return fresh
}

// load copies the text of a sheet to dst, which has its size, and the lengths.
func (s *Store) load(sh *sheet, dst []byte) ([]byte, []uint32) {
	if r := sh.raw.Load(); r != nil {
		copy(dst, r.text)
		return dst, slices.Clone(r.lens)
	}
	s.counts.Unpacks++
	p := sh.packed.Load()
	if err := s.budget.codec.inflate(dst, p); err != nil {
		panic("store: memory corrupted: " + err.Error()) //nolint:forbidigo // we deflated it ourselves; nothing that is held can be trusted
	}
	return dst, p.lens()
}

// capacity is what to allocate for a page that needs so many bytes now. A
// bucket that still fills gets at once what the last one came to need.
func (s *Store) capacity(b *bucket, f, need int) int {
	switch hint := s.hints[f]; {
	case b.count() == slotsPerBucket:
		return need
	case need <= hint:
		return hint
	case hint > 0:
		return need + need/4
	}
	return need * 2
}

// learn remembers how large the pages of a full bucket are.
func (s *Store) learn(b *bucket) {
	for f, sh := range b.pages {
		s.hints[f] = 0
		if sh != nil {
			s.hints[f] = sh.size() + sh.size()/16
		}
	}
}

// remove forgets the objects of the mask.
func (s *Store) remove(b *bucket, mask uint64) {
	for i := range slotsOf(mask) {
		delete(s.index, b.slots[i].id)
		delete(s.expiring, b.slots[i].id)
	}
	s.cut(b, mask)
}

// cut takes the slots of the mask out of a bucket. Pages they have no text in
// stay closed.
func (s *Store) cut(b *bucket, mask uint64) {
	if b.used&^mask != 0 {
		present := b.families(mask)
		for f := range b.pages {
			if present.has(f) && !s.amend(b, f, mask, nil) {
				s.rewrite(b, f, 0, func(r *raw) { r.cut(mask) })
			}
		}
	}
	s.release(b, mask)
}

// release frees the slots of the mask, whose text is gone from the pages, or
// the bucket when nothing else is in it.
func (s *Store) release(b *bucket, mask uint64) {
	if b.used&^mask == 0 {
		s.discard(b)
		return
	}
	for i := range slotsOf(mask) {
		b.slots[i] = slot{}
	}
	b.used &^= mask
	s.account(b, totals{objects: -bits.OnesCount64(mask)})
	s.budget.note(b, true)
}

// move takes the objects of the mask from one bucket to another with enough
// room.
func (s *Store) move(src *bucket, mask uint64, dst *bucket) {
	var to [slotsPerBucket]int
	for i := range slotsOf(mask) {
		to[i] = dst.take()
		dst.slots[to[i]] = src.slots[i]
		s.index[src.slots[i].id] = placeOf(dst, to[i])
	}
	s.account(dst, totals{objects: bits.OnesCount64(mask)})

	all, present := src.used&^mask == 0, src.families(mask)
	for f, sh := range src.pages {
		carry := func(text []byte, lens []uint32) {
			for i, n := range lens {
				if n > 0 && mask>>i&1 == 1 {
					s.edit(dst, f, to[i], text[:n])
				}
				text = text[n:]
			}
		}
		switch {
		case !present.has(f):
		case all: // src is about to go: leave its page alone
			carry(s.load(sh, make([]byte, sh.size())))
		default:
			s.rewrite(src, f, 0, func(r *raw) { carry(r.text, r.lens); r.cut(mask) })
		}
	}
	s.budget.note(dst, true)
	s.release(src, mask)
}
