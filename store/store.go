package store

import (
	"hash/maphash"
	"slices"
	"sync"
	"time"
)

// Store holds the rendered lines of the objects of one resource. All methods
// may be called concurrently.
type Store struct {
	families []Family
	headers  [numFormats][]*block // per family
	budget   *Budget
	created  time.Time    // see age
	seed     maphash.Seed // of fingerprints

	partitionMu sync.Mutex // held by Divide, Show and by merging: who sorts objects into buckets

	mu          sync.Mutex // guards all below and everything reachable, except final sheets
	index       map[ID]slotRef
	buckets     []*bucket // by number, with holes
	freeNumbers []uint32  // the holes
	current     [maxPartitions]*bucket
	lastSeq     uint64 // buckets ever made
	epoch       uint64 // collections; see raw.epoch
	mark        uint32 // Retains; see slot.round
	sizeHints   []int  // per family: size of its page in the last bucket that was filled

	expiring map[ID]time.Duration // deleted objects, and the store's age until which they are held

	partitioning *partitioning
	visible      PartitionSet
	bulkLoading  bool // objects arrive in bulk

	visibleTotals, hiddenTotals totals
	counts                      Stats // the counters only
}

// New returns an empty store for objects with these families. Stores that share
// a budget share its bound and its pools; nil gives the store one of its own.
func New(families []Family, budget *Budget) *Store {
	if budget == nil {
		budget = NewBudget(defaultRawBytes)
	}
	s := &Store{
		families:     slices.Clone(families),
		budget:       budget,
		created:      time.Now(),
		seed:         maphash.MakeSeed(),
		index:        make(map[ID]slotRef),
		sizeHints:    make([]int, len(families)),
		expiring:     make(map[ID]time.Duration),
		partitioning: &partitioning{singlePartition},
		visible:      1,
		bulkLoading:  true,
	}
	for _, f := range families {
		text := staticBlock(f.TextHeader, budget.codec)
		open := text
		if string(f.OpenMetricsHeader) != string(f.TextHeader) {
			open = staticBlock(f.OpenMetricsHeader, budget.codec)
		}
		s.headers[Text] = append(s.headers[Text], text)
		s.headers[OpenMetrics] = append(s.headers[OpenMetrics], open)
	}
	return s
}

// age is how old the store is at a time. Unlike the clock, which may be set forward or
// back, it does not jump.
func (s *Store) age(at time.Time) time.Duration { return at.Sub(s.created) }

// Has says whether the object is held at this version or a newer one, so that
// it need not be decoded again. An unknown version (0) is never held.
func (s *Store) HasVersion(id ID, version uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, i, held := s.find(id)
	return held && version != 0 && b.slots[i].version >= version
}

// Known says whether any version of the object is held.
func (s *Store) Contains(id ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, held := s.index[id]
	return held
}

// Put adds an object or takes its new version over. It is ignored when a newer
// version is held, and when the division gives the object no part
// (one that was held goes). The caller may reuse l.
func (s *Store) Put(o Object, l *Lines) {
	var stack [160]uint64
	fresh := s.appendFingerprints(stack[:0], l)
	s.mu.Lock()
	full := s.put(o, l, fresh)
	s.mu.Unlock()
	if full != nil {
		s.compressBucket(full, func(*rawText) bool { return true })
	}
	s.budget.evict()
}

// put returns the bucket that was filled by the object while the store loads:
// while a list comes in, a full bucket is as good as settled, and to pack it at
// once keeps the text of all objects from being there raw.
func (s *Store) put(o Object, l *Lines, fresh fingerprints) (full *bucket) {
	b, i, held := s.find(o.ID)
	if held && o.Version != 0 && o.Version < b.slots[i].version {
		s.counts.Stale++
		return nil
	}
	partition, belongs := s.partitioning.partitionOf(o.Hash)
	switch {
	case !belongs && held:
		s.remove(b, 1<<i)
		return nil
	case !belongs:
		return nil
	case held && !s.inPartition(b, partition): // not sorted yet
		s.moveObjects(b, 1<<i, s.target(partition))
		b, i, _ = s.find(o.ID)
	case !held:
		b = s.target(partition)
		i = b.allocSlot()
		s.index[o.ID] = slotRefOf(b, i)
		s.account(b, totals{objects: 1})
	}
	slot := &b.slots[i]
	if o.Version > slot.version {
		delete(s.expiring, o.ID)
	}
	slot.id, slot.hash, slot.version, slot.source, slot.mark = o.ID, o.Hash, o.Version, o.Source, s.mark
	s.write(b, i, l, fresh)
	if !held && b.count() == slotsPerBucket {
		s.current[partition] = nil // holes that it gets later are not for churn
		s.recordSizes(b)
		if s.bulkLoading {
			return b
		}
	}
	return nil
}

// write brings the pages up to date whose family differs from what is held.
func (s *Store) write(b *bucket, i int, l *Lines, fresh fingerprints) {
	slot := &b.slots[i]
	if slices.Equal(slot.fingerprints, fresh) {
		s.counts.Unchanged++
		return
	}
	s.counts.Changed++
	held := slot.fingerprints
	atFresh := bitmapWords(len(s.families)) // where the hash of the next family is
	atHeld := atFresh
	for f := range s.families {
		is, was := fresh.has(f), held.has(f)
		if is != was || is && fresh[atFresh] != held[atHeld] {
			s.edit(b, f, i, l.family(f))
		}
		if is {
			atFresh++
		}
		if was {
			atHeld++
		}
	}
	if len(held) == len(fresh) {
		copy(held, fresh)
	} else {
		slot.fingerprints = slices.Clone(fresh)
	}
	s.budget.update(b, true)
}

// Delete forgets the object. An unknown one is fine.
func (s *Store) Delete(id ID) {
	s.mu.Lock()
	if b, i, held := s.find(id); held {
		s.remove(b, 1<<i)
	}
	s.mu.Unlock()
	s.budget.evict()
}

// find looks an object up.
func (s *Store) find(id ID) (b *bucket, slot int, held bool) {
	p, held := s.index[id]
	if !held {
		return nil, 0, false
	}
	return s.buckets[p.bucket()], p.slot(), true
}
