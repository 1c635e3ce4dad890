package store

// Format is an exposition format.
type Format int

// The formats differ in the headers of families and in the end of the page.
const (
	Text        Format = iota // Prometheus text format 0.0.4
	OpenMetrics               // OpenMetrics 1.0, ends in "# EOF"
	numFormats
)

// Page is what stores hold at one moment, family by family: an immutable
// snapshot. Writing it needs no lock and waits for nobody. It keeps memory of
// the stores alive, so it should be dropped when it is written. Not safe for
// concurrent use.
type Snapshot struct {
	budget *Budget  // for its pools
	blocks []*block // headers, pages and the end, in order
	size   int64

	compressed []*compressedText // their packed forms, once asked for
	gzipSize   int64
	crc        uint32
}

// Collect takes a snapshot of the stores, in the given order. Each store is
// taken at one moment, so an object is there once, whole, and in one version
// in all its families; Commit is seen entirely or not at all. A family that
// several stores have is one group, where the first of them has it. The mutex
// of a store is held as long as it takes to copy a pointer per page. Nothing is
// deflated or inflated yet: that depends on what the page is asked for.
func TakeSnapshot(f Format, stores ...*Store) *Snapshot {
	snap := &Snapshot{budget: budgetOf(stores)}
	blocks := make([][][]*block, len(stores))
	locations := map[string][]familyRef{} // where each family is
	capacity := 1
	for n, s := range stores {
		blocks[n] = s.visibleBlocks(nil)
		capacity += (len(blocks[n]) + 1) * len(s.families)
		for i, family := range s.families {
			locations[family.Name] = append(locations[family.Name], familyRef{n, i})
		}
	}
	snap.blocks = make([]*block, 0, capacity)
	for n, s := range stores {
		for i, family := range s.families {
			if all := locations[family.Name]; all[0] == (familyRef{n, i}) {
				snap.addFamily(s.headers[f][i], all, blocks)
			}
		}
	}
	if f == OpenMetrics {
		snap.add(snap.budget.eof)
	}
	return snap
}

// group adds the pages of a family from all places that it has among the taken
// ones, behind its header; nothing when there is no page.
func (snap *Snapshot) addFamily(header *block, refs []familyRef, blocks [][][]*block) {
	headerPending := true
	for _, ref := range refs {
		for _, bucket := range blocks[ref.store] {
			if bucket[ref.family] == nil {
				continue
			}
			if headerPending {
				snap.add(header)
				headerPending = false
			}
			snap.add(bucket[ref.family])
		}
	}
}

// position is where a family is among several stores.
type familyRef struct{ store, family int }

// budgetOf is the budget whose pools serve a page of these stores.
func budgetOf(stores []*Store) *Budget {
	if len(stores) == 0 {
		return NewBudget(0)
	}
	return stores[0].budget
}

func (snap *Snapshot) add(blk *block) {
	snap.blocks = append(snap.blocks, blk)
	snap.size += int64(blk.size())
}

// snapshot appends the pages of each bucket that is shown. From here their
// sheets are final.
func (s *Store) visibleBlocks(blocks [][]*block) [][]*block {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch++
	families := len(s.families)
	all := make([]*block, 0, len(s.buckets)*families)
	for _, b := range s.buckets {
		if b != nil && b.visible {
			start := len(all)
			all = append(all, b.blocks...)
			blocks = append(blocks, all[start:])
		}
	}
	return blocks
}

// Size is the length of the text in bytes.
func (snap *Snapshot) Size() int64 { return snap.size }

// Release lets go of the stores' memory before the page itself is garbage. The
// page is empty from then on.
func (snap *Snapshot) Release() { *snap = Snapshot{budget: snap.budget} }
