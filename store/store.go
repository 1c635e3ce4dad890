package store

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Store holds the rendered lines of the objects of one resource. All methods may be called
// concurrently.
type Store struct {
	families []Family
	headers  [numFormats][]*block // per family
	budget   *Budget
	created  time.Time // see age
	key      HashKey   // of fingerprints

	partitionMu sync.Mutex   // held while objects move between buckets: SetPartitioning, SetVisible, Show, merging
	saving      atomic.Int32 // calls of Save in progress; no merging begins meanwhile

	mu          sync.Mutex // guards the fields below and everything reachable from them, except frozen blocks
	index       map[ID]slotRef
	buckets     []*bucket         // by number; nil where discarded
	freeNumbers []uint32          // indexes of the nil entries of buckets
	current     map[group]*bucket // takes new objects
	lastSeq     uint64            // buckets created
	epoch       uint64            // snapshots taken; see rawText.epoch
	mark        uint32            // calls of Retain and Compare; see slot.mark
	moves       uint64            // calls of moveObjects
	sizeHints   []int             // per family: size of its block in the last bucket that became full

	expiring map[ID]time.Duration // deleted objects that stay visible until the store has this age

	partitioning *partitioning
	visible      PartitionSet
	bulkLoading  bool // until EndBulkLoad
	abandoned    bool // the budget does not count the store

	visibleTotals, hiddenTotals totals
	counts                      Stats // only the counters are used
}

// New returns an empty store for objects with these families. Stores that share a budget share its
// limit and its pools. If budget is nil, the store gets a budget of its own.
func New(families []Family, budget *Budget) *Store {
	if budget == nil {
		budget = NewBudget(defaultRawBytes)
	}
	s := &Store{
		families:     slices.Clone(families),
		budget:       budget,
		created:      time.Now(),
		key:          NewHashKey(),
		index:        make(map[ID]slotRef),
		current:      make(map[group]*bucket),
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

// age is the age of the store at a point in time. It is monotonic: it does not jump when the system
// clock is set.
func (s *Store) age(at time.Time) time.Duration { return at.Sub(s.created) }

// HasVersion reports whether the store holds the object in this version or a newer one, so that the
// caller need not decode it. It returns false for an unknown version (0).
func (s *Store) HasVersion(id ID, version uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, i, held := s.find(id)
	return held && version != 0 && b.slots[i].version >= version
}

// Contains reports whether the store holds the object in any version.
func (s *Store) Contains(id ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, held := s.index[id]
	return held
}

// Put adds an object or replaces its version. It ignores a version older than the one in the store.
// If the object belongs to no partition, Put deletes it. It reports whether it stored text that
// differs from the object's text before. The caller may reuse l.
func (s *Store) Put(o Object, l *Lines) (changed bool) {
	var stack [160]uint64
	fresh := s.appendFingerprints(stack[:0], l)
	s.mu.Lock()
	full, changed := s.put(o, l, fresh)
	s.mu.Unlock()
	if full != nil {
		s.compressBucket(full, (*block).isRaw)
	}
	s.budget.evict()
	return changed
}

// put also returns the bucket if the object filled it during a bulk load. Objects that come from a list
// rarely change soon, so the caller compresses the full bucket at once. Otherwise the text of all
// objects would be raw at the same time.
func (s *Store) put(o Object, l *Lines, fresh fingerprints) (full *bucket, changed bool) {
	b, i, held := s.find(o.ID)
	if held && o.Version != 0 && o.Version < b.slots[i].version {
		return nil, false
	}
	partition, belongs := s.partitioning.partitionOf(o.Hash)
	switch {
	case !belongs && held:
		s.remove(b, 1<<i)
		return nil, false
	case !belongs:
		return nil, false
	case held && !s.inGroup(b, b.in(partition)): // SetPartitioning has not reached its bucket yet
		s.moveObjects(b, 1<<i, s.target(b.in(partition)))
		b, i, _ = s.find(o.ID)
	case !held:
		b = s.target(groupOf(o, partition))
		i = b.allocSlot()
		s.index[o.ID] = slotRefOf(b, i)
		s.account(b, 1, totals{objects: 1})
	}
	slot := &b.slots[i]
	if o.Version > slot.version {
		delete(s.expiring, o.ID)
	}
	slot.id, slot.hash, slot.version, slot.source, slot.mark = o.ID, o.Hash, o.Version, o.Source, s.mark
	changed = s.write(b, i, l, fresh)
	if !held && b.count() == slotsPerBucket {
		delete(s.current, b.group) // slots that become free later are not for new objects
		s.recordSizes(b)
		if s.bulkLoading {
			return b, changed
		}
	}
	return nil, changed
}

// write updates the blocks of those families whose fingerprints differ, and reports whether any do.
func (s *Store) write(b *bucket, i int, l *Lines, fresh fingerprints) (changed bool) {
	slot := &b.slots[i]
	if slices.Equal(slot.fingerprints, fresh) {
		return false
	}
	held := slot.fingerprints
	atFresh := bitmapWords(len(s.families)) // index of the next hash in fresh
	atHeld := atFresh
	for f := range s.families {
		has, had := fresh.has(f), held.has(f)
		if has != had || has && fresh[atFresh] != held[atHeld] {
			s.edit(b, f, i, l.family(f))
		}
		if has {
			atFresh++
		}
		if had {
			atHeld++
		}
	}
	if len(held) == len(fresh) {
		copy(held, fresh)
	} else {
		slot.fingerprints = slices.Clone(fresh)
	}
	s.budget.update(b, true)
	return true
}

// Delete removes the object if the store holds it.
func (s *Store) Delete(id ID) {
	s.mu.Lock()
	if b, i, held := s.find(id); held {
		s.remove(b, 1<<i)
	}
	s.mu.Unlock()
	s.budget.evict()
}

// find returns the bucket and the slot of an object.
func (s *Store) find(id ID) (b *bucket, slot int, held bool) {
	p, held := s.index[id]
	if !held {
		return nil, 0, false
	}
	return s.buckets[p.bucket()], p.slot(), true
}
