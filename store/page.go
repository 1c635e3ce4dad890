package store

// Format is an exposition format.
type Format int

// The formats differ in the headers of families and in the end of the page.
const (
	Text        Format = iota // Prometheus text format 0.0.4
	OpenMetrics               // OpenMetrics 1.0, ends in "# EOF"
	formats
)

// Page is what stores hold at one moment, family by family: an immutable
// snapshot. Writing it needs no lock and waits for nobody. It keeps memory of
// the stores alive, so it should be dropped when it is written. Not safe for
// concurrent use.
type Page struct {
	budget *Budget  // for its pools
	sheets []*sheet // headers, pages and the end, in order
	size   int64

	packed   []*packed // their packed forms, once asked for
	gzipSize int64
	crc      uint32
}

// Collect takes a snapshot of the stores, in the given order. Each store is
// taken at one moment, so an object is there once, whole, and in one version
// in all its families; Commit is seen entirely or not at all. A family that
// several stores have is one group, where the first of them has it. The mutex
// of a store is held as long as it takes to copy a pointer per page. Nothing is
// deflated or inflated yet: that depends on what the page is asked for.
func Collect(f Format, stores ...*Store) *Page {
	p := &Page{budget: budgetOf(stores)}
	taken := make([][][]*sheet, len(stores))
	shared := map[string][]position{} // where each family is
	most := 1
	for n, s := range stores {
		taken[n] = s.snapshot(nil)
		most += (len(taken[n]) + 1) * len(s.families)
		for i, family := range s.families {
			shared[family.Name] = append(shared[family.Name], position{n, i})
		}
	}
	p.sheets = make([]*sheet, 0, most)
	for n, s := range stores {
		for i, family := range s.families {
			if all := shared[family.Name]; all[0] == (position{n, i}) {
				p.group(s.headers[f][i], all, taken)
			}
		}
	}
	if f == OpenMetrics {
		p.add(p.budget.end)
	}
	return p
}

// group adds the pages of a family from all places that it has among the taken
// ones, behind its header; nothing when there is no page.
func (p *Page) group(header *sheet, places []position, taken [][][]*sheet) {
	bare := true
	for _, at := range places {
		for _, bucket := range taken[at.store] {
			if bucket[at.family] == nil {
				continue
			}
			if bare {
				p.add(header)
				bare = false
			}
			p.add(bucket[at.family])
		}
	}
}

// position is where a family is among several stores.
type position struct{ store, family int }

// budgetOf is the budget whose pools serve a page of these stores.
func budgetOf(stores []*Store) *Budget {
	if len(stores) == 0 {
		return NewBudget(0)
	}
	return stores[0].budget
}

func (p *Page) add(sh *sheet) {
	p.sheets = append(p.sheets, sh)
	p.size += int64(sh.size())
}

// snapshot appends the pages of each bucket that is shown. From here their
// sheets are final.
func (s *Store) snapshot(pages [][]*sheet) [][]*sheet {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch++
	families := len(s.families)
	all := make([]*sheet, 0, len(s.table)*families)
	for _, b := range s.table {
		if b != nil && b.shown {
			start := len(all)
			all = append(all, b.pages...)
			pages = append(pages, all[start:])
		}
	}
	return pages
}

// Size is the length of the text in bytes.
func (p *Page) Size() int64 { return p.size }

// Release lets go of the stores' memory before the page itself is garbage. The
// page is empty from then on.
func (p *Page) Release() { *p = Page{budget: p.budget} }
