package store

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// model is what a Store promises, without any of its machinery.
type model struct {
	families  []Family
	objects   map[ID]modelObject
	now, next func(uint64) bool
}

type modelObject struct {
	Object
	texts []string
}

func (m *model) served(o Object) bool { return m.now == nil || m.now(o.Hash) }

func (m *model) put(o Object, texts []string) {
	if held, ok := m.objects[o.ID]; ok && o.Version != 0 && o.Version < held.Version {
		return
	}
	m.objects[o.ID] = modelObject{o, texts}
	m.drop(func(o Object) bool { return m.now != nil && !m.now(o.Hash) && !m.next(o.Hash) })
}

func (m *model) drop(gone func(o Object) bool) int {
	before := len(m.objects)
	maps.DeleteFunc(m.objects, func(_ ID, o modelObject) bool { return gone(o.Object) })
	return before - len(m.objects)
}

func (m *model) finish(stays func(uint64) bool) {
	if m.now != nil {
		m.drop(func(o Object) bool { return !stays(o.Hash) })
	}
	m.now, m.next = nil, nil
}

func (m *model) content() content {
	page := content{}
	for _, o := range m.objects {
		for f, text := range o.texts {
			if text != "" && m.served(o.Object) {
				page[m.families[f].Name] = append(page[m.families[f].Name], text)
			}
		}
	}
	for _, lines := range page {
		slices.Sort(lines)
	}
	return page
}

// simulation drives a store and the model with the same random operations.
type simulation struct {
	t       *testing.T
	rng     *rand.Rand
	store   *Store
	model   *model
	clock   time.Time
	version uint64
	done    map[string]int // what came about, by name
}

// simulatedObjects fill a few buckets. They are few enough for most steps to meet one that is held.
const simulatedObjects = 300

// The kinds of puts that are special.
const (
	plain = iota
	withoutVersion
	perhapsOlder
)

func (s *simulation) put(n, kind int) {
	s.version++
	o := Object{ID: testID(n), Hash: uint64(n % 16), Version: s.version, Source: uint32(n % 3)}
	switch kind {
	case withoutVersion:
		o.Version = 0
	case perhapsOlder:
		if held := s.model.objects[o.ID]; held.Version > 0 {
			o.Version = 1 + s.rng.Uint64N(held.Version)
		}
	}
	if held, ok := s.model.objects[o.ID]; ok && o.Version != 0 && o.Version < held.Version {
		s.done["older versions"]++
	}
	texts := make([]string, len(s.model.families))
	if held, ok := s.model.objects[o.ID]; ok && s.rng.IntN(5) == 0 {
		texts = held.texts // a version that says the same
		s.store.Put(o, linesOf(texts...))
		s.model.put(o, texts)
		return
	}
	for f := range texts {
		if f%4 == 3 && s.rng.IntN(20) > 0 || s.rng.IntN(9) == 0 {
			continue // a family that is rare
		}
		label := string(make([]byte, s.rng.IntN(3)*s.rng.IntN(40)))
		texts[f] = line(f, n, label, uint64(s.rng.IntN(3)))
	}
	s.store.Put(o, linesOf(texts...))
	s.model.put(o, texts)
}

func (s *simulation) delete() {
	id := testID(s.rng.IntN(simulatedObjects))
	if _, held := s.model.objects[id]; held {
		s.done["deleted"]++
	}
	s.store.Delete(id)
	delete(s.model.objects, id)
}

func (s *simulation) retain(all bool) {
	source := uint32(s.rng.IntN(3))
	named := map[ID]bool{testID(simulatedObjects + 1): true} // one nobody knows
	for id := range s.model.objects {
		if s.rng.IntN(10) < 7 || all {
			named[id] = true
		}
	}
	want := s.model.drop(func(o Object) bool { return o.Source == source && !named[o.ID] })
	if got := s.store.Retain(source, 0, maps.Keys(named)); got != want {
		s.t.Fatalf("Retain removed %d objects, want %d", got, want)
	}
	s.done["not retained"] += want
}

func (s *simulation) begin() {
	// Mostly the shard grows or shrinks; sometimes it is any other.
	a, b, c, d := s.rng.Uint64N(16), s.rng.Uint64N(17), s.rng.Uint64N(16), s.rng.Uint64N(17)
	now := func(hash uint64) bool { return hash >= a/4 && hash < max(b, 12) }
	next := func(hash uint64) bool { return hash >= c && hash < d }
	begin(s.store, now, next)
	s.model.now, s.model.next = now, next
	s.done["dropped by a change of shard"] += s.model.drop(func(o Object) bool { return !now(o.Hash) && !next(o.Hash) })
}

// finish ends the change of shard, if there is one; from there everything is
// held.
func (s *simulation) finish(shard func(uint64) bool, how func(*Store, func(uint64) bool)) {
	if shard == nil {
		return
	}
	for _, o := range s.model.objects {
		if is, was := shard(o.Hash), s.model.now(o.Hash); is != was {
			s.done["shown or hidden by a switch"]++
		}
	}
	how(s.store, shard)
	s.store.Divide(undivided, 1)
	s.store.Loaded()
	s.model.finish(shard)
}

func (s *simulation) sweep() {
	s.clock = s.clock.Add(time.Duration(s.rng.IntN(20)) * time.Second)
	s.store.Sweep(time.Duration(s.rng.IntN(30))*time.Second, s.clock)
}

// step makes one random change. Those that are rare come now and then for certain.
func (s *simulation) step(i int) {
	switch i % 100 {
	case 10:
		for n := range 10 {
			s.put(n, perhapsOlder)
		}
		return
	case 30:
		s.retain(false)
		return
	case 60:
		s.begin()
		return
	case 80:
		s.finish(s.model.next, commit)
		return
	}
	switch n := s.rng.IntN(1000); {
	case n < 700:
		s.put(s.rng.IntN(simulatedObjects), s.rng.IntN(10))
	case n < 900:
		s.delete()
	case n < 906:
		s.retain(s.rng.IntN(10) == 0)
	case n < 912:
		s.begin()
	case n < 917:
		s.finish(s.model.next, commit)
	case n < 920:
		s.finish(s.model.now, abort)
	default:
		s.sweep()
	}
}

func (s *simulation) check(older *Page, olderContent content) (*Page, content) {
	s.t.Helper()
	format := Format(s.rng.IntN(int(formats)))
	page := Collect(format, s.store)
	want := s.model.content()
	if s.rng.IntN(2) == 0 {
		page.GzipSize() // some pages only get a packed form here
	}
	if s.rng.IntN(2) == 0 {
		equalContent(s.t, readPage(s.t, format, page, s.model.families), want)
	}
	if older != nil { // was checked or not then: what it holds must be as it was
		format := Text
		if len(older.sheets) > 0 && older.sheets[len(older.sheets)-1] == s.store.budget.end {
			format = OpenMetrics
		}
		equalContent(s.t, readPage(s.t, format, older, s.model.families), olderContent)
	}
	verify(s.t, s.store)
	if raw, limit := s.store.Stats().RawBytes, s.store.budget.limit; raw > limit {
		s.t.Fatalf("%d raw bytes, the limit is %d", raw, limit)
	}
	return page, want
}

func TestStoreIsWhatTheModelSays(t *testing.T) {
	steps := 1000
	if testing.Short() {
		steps = 300
	}
	for _, limit := range []int64{0, 20_000, 1 << 30} {
		t.Run(fmt.Sprintf("raw limit %d", limit), func(t *testing.T) {
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			families := testFamilies(9)
			s := &simulation{
				t:     t,
				rng:   rand.New(rand.NewPCG(seed, 1)),
				store: New(families, NewBudget(limit)),
				model: &model{families: families, objects: map[ID]modelObject{}},
				clock: time.Unix(1_700_000_000, 0),
				done:  map[string]int{},
			}
			var older *Page
			var was content
			for n := range simulatedObjects {
				s.put(n, plain)
			}
			for i := range steps {
				s.step(i)
				if i%20 == 0 {
					older, was = s.check(older, was)
				}
			}
			objects := 0
			for _, o := range s.model.objects {
				if s.model.served(o.Object) {
					objects++
				}
				if !s.store.Has(o.ID, o.Version) && o.Version != 0 {
					t.Errorf("Has(%s, %d) = false", o.ID, o.Version)
				}
			}
			if got := s.store.Stats().Objects; got != objects {
				t.Errorf("Stats().Objects = %d, want %d", got, objects)
			}
			s.checkDone(limit)
		})
	}
}

// checkDone fails when the run did not come to what it is meant to try.
func (s *simulation) checkDone(limit int64) {
	s.t.Helper()
	stats := s.store.Stats()
	s.done["changed"], s.done["unchanged"] = int(stats.Changed), int(stats.Unchanged)
	s.done["rejected as older"] = int(stats.Older)
	s.done["packed"], s.done["unpacked"] = int(stats.Packs), int(stats.Unpacks)
	if s.done["rejected as older"] != s.done["older versions"] {
		s.t.Errorf("%d versions were rejected as older, want %d", s.done["rejected as older"], s.done["older versions"])
	}
	for _, what := range []string{"older versions", "deleted", "not retained", "dropped by a change of shard", "shown or hidden by a switch", "changed", "unchanged", "packed"} {
		if s.done[what] == 0 {
			s.t.Errorf("nothing was %s in the whole run: %v", what, s.done)
		}
	}
	if limit == 0 && s.done["unpacked"] == 0 {
		s.t.Errorf("no page was unpacked, although none may stay raw: %v", s.done)
	}
	s.t.Logf("%v", s.done)
}
