package store

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// model has the specified behaviour of a Store without its implementation.
type model struct {
	families  []Family
	objects   map[ID]modelObject
	now, next func(uint64) bool
}

type modelObject struct {
	Object
	texts []string
}

func (m *model) served(o Object) bool { return !o.Hidden && (m.now == nil || m.now(o.Hash)) }

// put reports whether it changed the text of the object.
func (m *model) put(o Object, texts []string) (changed bool) {
	held, ok := m.objects[o.ID]
	if ok && o.Version != 0 && o.Version < held.Version {
		return false
	}
	if ok {
		o.Hidden = held.Hidden
	}
	m.objects[o.ID] = modelObject{o, texts}
	dropped := m.drop(func(o Object) bool { return m.now != nil && !m.now(o.Hash) && !m.next(o.Hash) })
	return dropped == 0 && (!ok || !slices.Equal(texts, held.texts))
}

func (m *model) drop(unwanted func(o Object) bool) int {
	before := len(m.objects)
	maps.DeleteFunc(m.objects, func(_ ID, o modelObject) bool { return unwanted(o.Object) })
	return before - len(m.objects)
}

func (m *model) finish(stays func(uint64) bool) {
	if m.now != nil {
		m.drop(func(o Object) bool { return !stays(o.Hash) })
	}
	m.now, m.next = nil, nil
}

func (m *model) content() content {
	parsed := content{}
	for _, o := range m.objects {
		for f, text := range o.texts {
			if text != "" && m.served(o.Object) {
				parsed[m.families[f].Name] = append(parsed[m.families[f].Name], text)
			}
		}
	}
	for _, lines := range parsed {
		slices.Sort(lines)
	}
	return parsed
}

// simulation drives a store and the model with the same random operations.
type simulation struct {
	t       *testing.T
	rng     *rand.Rand
	store   *Store
	model   *model
	clock   time.Time
	version uint64
	counts  map[string]int // how often each case occurred
}

// simulatedObjects fill a few buckets. They are so few that most steps concern an object in the
// store.
const simulatedObjects = 300

// The variants of put. Other values behave like plain.
const (
	plain = iota
	withoutVersion
	perhapsOlder
)

func (s *simulation) put(n, kind int) {
	s.version++
	o := Object{ID: testID(n), Hash: uint64(n % 16), Version: s.version, Source: uint32(n % 3), Hidden: s.rng.IntN(2) == 0}
	switch kind {
	case withoutVersion:
		o.Version = 0
	case perhapsOlder:
		if held := s.model.objects[o.ID]; held.Version > 0 {
			o.Version = 1 + s.rng.Uint64N(held.Version)
		}
	}
	if held, ok := s.model.objects[o.ID]; ok && o.Version != 0 && o.Version < held.Version {
		s.counts["stale versions"]++
	}
	texts := make([]string, len(s.model.families))
	if held, ok := s.model.objects[o.ID]; ok && s.rng.IntN(5) == 0 {
		texts = held.texts // a new version with the same text
		s.putBoth(o, texts)
		return
	}
	for f := range texts {
		if f%4 == 3 && s.rng.IntN(20) > 0 || s.rng.IntN(9) == 0 {
			continue // a rare family
		}
		label := string(make([]byte, s.rng.IntN(3)*s.rng.IntN(40)))
		texts[f] = line(f, n, label, uint64(s.rng.IntN(3)))
	}
	s.putBoth(o, texts)
}

func (s *simulation) putBoth(o Object, texts []string) {
	want := s.model.put(o, texts)
	if got := s.store.Put(o, linesOf(texts...)); got != want {
		s.t.Errorf("Put of version %d reports %t, want %t", o.Version, got, want)
	}
	if want {
		s.counts["changed"]++
	} else {
		s.counts["unchanged"]++
	}
}

func (s *simulation) delete() {
	id := testID(s.rng.IntN(simulatedObjects))
	if _, held := s.model.objects[id]; held {
		s.counts["deleted"]++
	}
	s.store.Delete(id)
	delete(s.model.objects, id)
}

func (s *simulation) retain(all bool) {
	source := uint32(s.rng.IntN(3))
	listed := map[ID]bool{testID(simulatedObjects + 1): true} // an unknown ID
	for id := range s.model.objects {
		if s.rng.IntN(10) < 7 || all {
			listed[id] = true
		}
	}
	want := s.model.drop(func(o Object) bool { return o.Source == source && !listed[o.ID] })
	if got := s.store.Retain(source, 0, maps.Keys(listed)); got != want {
		s.t.Fatalf("Retain removed %d objects, want %d", got, want)
	}
	s.counts["not retained"] += want
}

func (s *simulation) show() {
	source := uint32(s.rng.IntN(3))
	s.store.Show(source)
	for id, o := range s.model.objects {
		if o.Hidden && o.Source == source {
			o.Hidden = false
			s.model.objects[id] = o
			s.counts["shown"]++
		}
	}
}

func (s *simulation) begin() {
	// Usually the shard grows or shrinks, sometimes it is an unrelated one.
	a, b, c, d := s.rng.Uint64N(16), s.rng.Uint64N(17), s.rng.Uint64N(16), s.rng.Uint64N(17)
	now := func(hash uint64) bool { return hash >= a/4 && hash < max(b, 12) }
	next := func(hash uint64) bool { return hash >= c && hash < d }
	beginReshard(s.store, now, next)
	s.model.now, s.model.next = now, next
	s.counts["dropped by a reshard"] += s.model.drop(func(o Object) bool { return !now(o.Hash) && !next(o.Hash) })
}

// finish ends the reshard, if there is one. Afterwards the shard includes all hashes.
func (s *simulation) finish(shard func(uint64) bool, how func(*Store, func(uint64) bool)) {
	if shard == nil {
		return
	}
	for _, o := range s.model.objects {
		if is, was := shard(o.Hash), s.model.now(o.Hash); is != was {
			s.counts["shown or hidden"]++
		}
	}
	how(s.store, shard)
	s.store.SetPartitioning(singlePartition, 1)
	s.store.EndBulkLoad()
	s.model.finish(shard)
}

func (s *simulation) sweep() {
	s.clock = s.clock.Add(time.Duration(s.rng.IntN(20)) * time.Second)
	s.store.Sweep(time.Duration(s.rng.IntN(30))*time.Second, s.clock)
}

// step makes one random change. Rare changes also happen at fixed steps, so that every run has
// them.
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
	case 50:
		s.show()
		return
	case 60:
		s.begin()
		return
	case 80:
		s.finish(s.model.next, commitReshard)
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
		s.finish(s.model.next, commitReshard)
	case n < 920:
		s.finish(s.model.now, abortReshard)
	case n < 925:
		s.show()
	default:
		s.sweep()
	}
}

func (s *simulation) check(older *Snapshot, olderContent content) (*Snapshot, content) {
	s.t.Helper()
	format := Format(s.rng.IntN(int(numFormats)))
	snap := TakeSnapshot(format, s.store)
	want := s.model.content()
	if s.rng.IntN(2) == 0 {
		snap.GzipSize() // gives some blocks their compressed form
	}
	if s.rng.IntN(2) == 0 {
		equalContent(s.t, readSnapshot(s.t, format, snap, s.model.families), want)
	}
	if older != nil { // its content must not have changed since it was taken
		format := Text
		if len(older.blocks) > 0 && older.blocks[len(older.blocks)-1] == s.store.budget.eof {
			format = OpenMetrics
		}
		equalContent(s.t, readSnapshot(s.t, format, older, s.model.families), olderContent)
	}
	verify(s.t, s.store)
	if raw, limit := s.store.Stats().RawBytes, s.store.budget.limit; raw > limit {
		s.t.Fatalf("%d raw bytes, the limit is %d", raw, limit)
	}
	return snap, want
}

func TestStoreMatchesModel(t *testing.T) {
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
				t:      t,
				rng:    rand.New(rand.NewPCG(seed, 1)),
				store:  New(families, NewBudget(limit)),
				model:  &model{families: families, objects: map[ID]modelObject{}},
				clock:  time.Unix(1_700_000_000, 0),
				counts: map[string]int{},
			}
			var older *Snapshot
			var olderContent content
			for n := range simulatedObjects {
				s.put(n, plain)
			}
			for i := range steps {
				s.step(i)
				if i%20 == 0 {
					older, olderContent = s.check(older, olderContent)
				}
			}
			objects := 0
			for _, o := range s.model.objects {
				if s.model.served(o.Object) {
					objects++
				}
				if !s.store.HasVersion(o.ID, o.Version) && o.Version != 0 {
					t.Errorf("HasVersion(%s, %d) = false", o.ID, o.Version)
				}
			}
			if got := s.store.Stats().Objects; got != objects {
				t.Errorf("Stats().Objects = %d, want %d", got, objects)
			}
			s.checkCoverage(limit)
		})
	}
}

// checkCoverage fails the test if one of the cases that the run must cover did not occur.
func (s *simulation) checkCoverage(limit int64) {
	s.t.Helper()
	stats := s.store.Stats()
	s.counts["compressed"], s.counts["decompressed"] = int(stats.Compressions), int(stats.Decompressions)
	for _, name := range []string{
		"stale versions", "deleted", "not retained", "dropped by a reshard", "shown or hidden",
		"shown", "changed", "unchanged", "compressed",
	} {
		if s.counts[name] == 0 {
			s.t.Errorf("the run had no case of %q: %v", name, s.counts)
		}
	}
	if limit == 0 && s.counts["decompressed"] == 0 {
		s.t.Errorf("no block was decompressed, although the limit allows no raw text: %v", s.counts)
	}
	s.t.Logf("%v", s.counts)
}
