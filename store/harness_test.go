package store

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	kgzip "github.com/klauspost/compress/gzip"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testFamilies returns n families. Every third has different headers in the two formats.
func testFamilies(n int) []Family {
	families := make([]Family, n)
	for i := range families {
		name := fmt.Sprintf("kube_test_family_%02d", i)
		families[i] = Family{
			Name:              name,
			TextHeader:        fmt.Appendf(nil, "# HELP %s Something about it.\n# TYPE %s gauge\n", name, name),
			OpenMetricsHeader: fmt.Appendf(nil, "# HELP %s Something about it.\n# TYPE %s gauge\n", name, name),
		}
		if i%3 == 0 {
			families[i].OpenMetricsHeader = fmt.Appendf(nil,
				"# HELP %s Something about it.\n# TYPE %s info\n", name, name)
		}
	}
	return families
}

// linesOf returns Lines with one text per family.
func linesOf(texts ...string) *Lines {
	l := new(Lines)
	for _, text := range texts {
		l.Buf = append(l.Buf, text...)
		l.Ends = append(l.Ends, len(l.Buf))
	}
	return l
}

func testID(n int) ID { return NewID(fmt.Sprintf("00000000-0000-4000-8000-%012x", n), "", "") }

// line returns a sample line of a test family.
func line(family, object int, label string, value uint64) string {
	return fmt.Sprintf("kube_test_family_%02d{object=\"%d\",label=%q} %d\n", family, object, label, value)
}

// content is a parsed exposition: sorted sample lines by family.
type content map[string][]string

// parseExposition fails the test if a family appears twice, has no header, has only a header, or is
// out of order.
func parseExposition(t testing.TB, f Format, text string, families []Family) content {
	t.Helper()
	if f == OpenMetrics {
		var whole bool
		if text, whole = strings.CutSuffix(text, "# EOF\n"); !whole {
			t.Fatalf("exposition does not end with # EOF: %q", text[max(0, len(text)-50):])
		}
	}
	parsed := content{}
	for _, family := range families {
		header := string(family.TextHeader)
		if f == OpenMetrics {
			header = string(family.OpenMetricsHeader)
		}
		body, found := strings.CutPrefix(text, header)
		if !found {
			continue
		}
		end := strings.Index(body, "# ")
		if end < 0 {
			end = len(body)
		}
		lines := strings.SplitAfter(body[:end], "\n")
		lines = lines[:len(lines)-1]
		if len(lines) == 0 {
			t.Fatalf("family %s has a header but no line", family.Name)
		}
		slices.Sort(lines)
		parsed[family.Name] = lines
		text = body[end:]
	}
	if text != "" {
		t.Fatalf("exposition continues with %.200q after the last family", text)
	}
	return parsed
}

// readSnapshot writes the snapshot in every encoding, checks that the texts agree and that the
// sizes are exact, and returns the parsed text.
func readSnapshot(t testing.TB, f Format, snap *Snapshot, families []Family) content {
	t.Helper()
	var text, zipped bytes.Buffer
	if err := snap.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if got, want := snap.Size(), int64(text.Len()); got != want {
		t.Fatalf("Size() = %d, but %d bytes were written", got, want)
	}
	size := snap.GzipSize()
	if err := snap.WriteGzip(&zipped); err != nil {
		t.Fatal(err)
	}
	if got := int64(zipped.Len()); got != size {
		t.Fatalf("GzipSize() = %d, but %d bytes were written", size, got)
	}
	if unzipped := gunzip(t, zipped.Bytes()); !bytes.Equal(unzipped, text.Bytes()) {
		t.Fatalf("decompressed text differs from the plain text: %d bytes, want %d", len(unzipped), text.Len())
	}
	return parseExposition(t, f, text.String(), families)
}

// gunzip reads exactly one gzip member with two readers and checks that they agree.
func gunzip(t testing.TB, zipped []byte) []byte {
	t.Helper()
	in := bytes.NewReader(zipped)
	std, err := gzip.NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	std.Multistream(false)
	text, err := io.ReadAll(std)
	if err != nil {
		t.Fatal(err)
	}
	if in.Len() != 0 {
		t.Fatalf("%d bytes after the first gzip member", in.Len())
	}
	other, err := kgzip.NewReader(bytes.NewReader(zipped))
	if err != nil {
		t.Fatal(err)
	}
	otherText, err := io.ReadAll(other)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(text, otherText) {
		t.Fatal("two gzip readers disagree")
	}
	return text
}

func equalContent(t testing.TB, got, want content) {
	t.Helper()
	if maps.EqualFunc(got, want, slices.Equal) {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if !slices.Equal(got[name], want[name]) {
			t.Errorf("family %s has %d lines, want %d:\n%.600q\nwant\n%.600q",
				name, len(got[name]), len(want[name]), got[name], want[name])
		}
	}
	t.Fatalf("%d families, want %d", len(got), len(want))
}

// verify recomputes the running totals and checks the invariants of the store.
func verify(t testing.TB, s *Store) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	var visible, hidden totals
	objects := 0
	for n, b := range s.buckets {
		if b == nil {
			continue
		}
		sum := totals{objects: b.count(), buckets: 1}
		for f, blk := range b.blocks {
			sum.add(1, usage(blk))
			verifyBlock(t, b, f, blk)
		}
		if sum != b.totals {
			t.Fatalf("bucket %d: totals %+v, want %+v", n, b.totals, sum)
		}
		if b.count() == 0 {
			t.Fatalf("bucket %d is empty", n)
		}
		for i := range slotsOf(b.used) {
			objects++
			if found, slot, held := s.find(b.slots[i].id); !held || found != b || slot != i {
				t.Fatalf("bucket %d slot %d: the index has another location", n, i)
			}
		}
		if l := b.lru; l.raw != sum.raw || (l.element != nil) != (sum.raw > 0) {
			t.Fatalf("bucket %d: the budget counts %d bytes (in the list: %t), want %d",
				n, l.raw, l.element != nil, sum.raw)
		}
		verifyPartition(t, s, b)
		if b.visible {
			visible.add(1, sum)
		} else {
			hidden.add(1, sum)
		}
	}
	if visible != s.visibleTotals || hidden != s.hiddenTotals {
		t.Fatalf("totals %+v and %+v, want %+v and %+v", s.visibleTotals, s.hiddenTotals, visible, hidden)
	}
	if objects != len(s.index) {
		t.Fatalf("%d objects in buckets, %d in the index", objects, len(s.index))
	}
}

// verifyPartition checks that the objects of a bucket belong to its partition.
func verifyPartition(t testing.TB, s *Store, b *bucket) {
	t.Helper()
	if b.partitioning != s.partitioning || b.visible != (s.visible.has(b.partition) && !b.hidden) {
		t.Fatalf("bucket %d: outdated partitioning, or visibility differs from its partition", b.number)
	}
	for i := range slotsOf(b.used) {
		if p, held := s.partitioning.partitionOf(b.slots[i].hash); !held || p != b.partition {
			t.Fatalf("bucket %d slot %d: partition %d (held: %t), want %d", b.number, i, p, held, b.partition)
		}
		if b.hidden && b.slots[i].source != b.source {
			t.Fatalf("bucket %d slot %d: source %d, want %d", b.number, i, b.slots[i].source, b.source)
		}
	}
}

// verifyBlock compares a block with the fingerprints of the slots.
func verifyBlock(t testing.TB, b *bucket, f int, blk *block) {
	t.Helper()
	var lens slotLens
	if blk != nil {
		text, size := []byte(nil), blk.size()
		if r := blk.raw.Load(); r != nil {
			text, lens = r.text, r.lens
		}
		if ct := blk.compressed.Load(); ct != nil {
			lens = ct.lens()
			decompressed := make([]byte, ct.size)
			if err := b.store.budget.codec.decompress(decompressed, ct); err != nil {
				t.Fatal(err)
			}
			if text != nil && !bytes.Equal(text, decompressed) {
				t.Fatalf("bucket %d family %d: the forms differ", b.number, f)
			}
		}
		sum := 0
		for _, n := range lens {
			sum += int(n)
		}
		if sum != size || size == 0 {
			t.Fatalf("bucket %d family %d: the slots have %d bytes, the block has %d", b.number, f, sum, size)
		}
	}
	for i := range slotsPerBucket {
		has := i < len(b.slots) && b.slots[i].fingerprints.has(f)
		if text := lens[i] > 0; has != text {
			t.Fatalf("bucket %d family %d slot %d: has text: %t, has fingerprint: %t", b.number, f, i, text, has)
		}
	}
}

// The partitions during a reshard: objects of the current shard are in 1 and 3, those of the next
// one in 2 and 3.
const (
	nowPartitions  PartitionSet = 1<<1 | 1<<3
	nextPartitions PartitionSet = 1<<2 | 1<<3
)

// beginReshard partitions the store for a change from one shard to another. The first is visible.
func beginReshard(s *Store, now, next func(hash uint64) bool) {
	s.SetPartitioning(func(hash uint64) (p Partition, held bool) {
		if now(hash) {
			p |= 1
		}
		if next(hash) {
			p |= 2
		}
		return p, p != 0
	}, nowPartitions)
}

// commitReshard makes the next shard visible and deletes all other objects.
func commitReshard(s *Store, next func(hash uint64) bool) {
	s.SetVisible(nextPartitions)
	abortReshard(s, next)
}

// abortReshard deletes all objects that are not in the shard.
func abortReshard(s *Store, shard func(hash uint64) bool) {
	s.SetPartitioning(func(hash uint64) (Partition, bool) { return 0, shard(hash) }, 1)
	s.EndBulkLoad()
}
