package store

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
)

func TestBlocksConcatenateToOneGzipMember(t *testing.T) {
	s := New(testFamilies(4), nil)
	other := New([]Family{{
		Name:              "other",
		TextHeader:        []byte("# TYPE other gauge\n"),
		OpenMetricsHeader: []byte("# TYPE other info\n"),
	}}, nil)
	fill(s, 0, 3*slotsPerBucket, 1)
	other.Put(Object{ID: testID(1)}, linesOf("other 1\n"))

	for _, f := range []Format{Text, OpenMetrics} {
		var zipped bytes.Buffer
		if err := TakeSnapshot(f, s, other).WriteGzip(&zipped); err != nil {
			t.Fatal(err)
		}
		text := string(gunzip(t, zipped.Bytes())) // fails if there is more than one member
		tail := "# TYPE other gauge\nother 1\n"
		if f == OpenMetrics {
			tail = "# TYPE other info\nother 1\n# EOF\n"
		}
		text, found := strings.CutSuffix(text, tail)
		equal(t, "the second store comes last", found, true)
		parsed := parseExposition(t, Text, strings.ReplaceAll(text, " info\n", " gauge\n"), s.families)
		equal(t, "families", len(parsed), 4)
	}
}

func TestEmptySnapshot(t *testing.T) {
	for _, stores := range [][]*Store{nil, {New(testFamilies(3), nil)}} {
		for f, want := range []string{Text: "", OpenMetrics: "# EOF\n"} {
			snap := TakeSnapshot(Format(f), stores...)
			readSnapshot(t, Format(f), snap, nil)
			var text bytes.Buffer
			if err := snap.WriteText(&text); err != nil {
				t.Fatal(err)
			}
			equal(t, "text", text.String(), want)
		}
	}
}

func TestIdentityScrapeCompressesNothing(t *testing.T) {
	s := New(testFamilies(4), nil)
	fill(s, 0, 100, 1)
	before := s.Stats()
	snap := TakeSnapshot(Text, s)
	if err := snap.WriteText(io.Discard); err != nil {
		t.Fatal(err)
	}
	equal(t, "Stats", s.Stats(), before)
}

func TestGzipScrapeCompressesABlockOnceAndKeepsBothForms(t *testing.T) {
	s := New(testFamilies(4), nil)
	s.EndBulkLoad()
	fill(s, 0, 100, 1)
	for range 3 {
		TakeSnapshot(OpenMetrics, s).GzipSize()
		st := s.Stats()
		equal(t, "Compressions", st.Compressions, 8)
		equal(t, "Decompressions", st.Decompressions, 0)
		equal(t, "CompressedBlocks", st.CompressedBlocks, 8)
		equal(t, "RawBlocks", st.RawBlocks, 8)
	}
	s.Sweep(0, noon)
	equal(t, "Compressions after the sweep", s.Stats().Compressions, 8)
	equal(t, "RawBlocks after the sweep", s.Stats().RawBlocks, 0)
	verify(t, s)
}

func TestSnapshotIsImmutable(t *testing.T) {
	s := New(testFamilies(4), nil)
	fill(s, 0, 100, 1)
	want := readSnapshot(t, Text, TakeSnapshot(Text, s), s.families)
	snap := TakeSnapshot(Text, s)
	fill(s, 0, 120, 2)
	s.Delete(testID(5))
	beginReshard(s, everything, even)
	commitReshard(s, even)
	s.Sweep(0, noon)
	equalContent(t, readSnapshot(t, Text, snap, s.families), want)
}

func TestReleasedSnapshotIsEmpty(t *testing.T) {
	s := New(testFamilies(2), nil)
	fill(s, 0, 3, 1)
	snap := TakeSnapshot(Text, s)
	snap.Release()
	equal(t, "Size", snap.Size(), 0)
	readSnapshot(t, Text, snap, s.families)
}

// brokenWriter accepts some bytes and then fails.
type brokenWriter struct{ room int }

var errBroken = errors.New("connection reset")

func (w *brokenWriter) Write(p []byte) (int, error) {
	if len(p) > w.room {
		return w.room, errBroken
	}
	w.room -= len(p)
	return len(p), nil
}

func TestWriteErrorsAreReturned(t *testing.T) {
	s := New(testFamilies(1), nil)
	for n := range 40 { // several chunks and several writes
		s.Put(Object{ID: testID(n)}, linesOf(line(0, n, strings.Repeat("x", n*3_000), 1)))
	}
	s.Sweep(0, noon)
	snap := TakeSnapshot(Text, s)
	for _, room := range []int{0, 10, int(snap.GzipSize()) - 1} {
		if err := snap.WriteGzip(&brokenWriter{room}); !errors.Is(err, errBroken) {
			t.Errorf("WriteGzip with room for %d bytes: error %v, want %v", room, err, errBroken)
		}
	}
	for _, room := range []int{0, chunkBytes, int(snap.Size()) - 1} {
		if err := snap.WriteText(&brokenWriter{room}); !errors.Is(err, errBroken) {
			t.Errorf("WriteText with room for %d bytes: error %v, want %v", room, err, errBroken)
		}
	}
	readSnapshot(t, Text, snap, s.families) // a failed write can be repeated
}

func TestFamilyOfSeveralStoresIsOneGroup(t *testing.T) {
	budget := NewBudget(defaultRawBytes)
	family := func(name string) Family {
		header := []byte("# TYPE " + name + " gauge\n")
		return Family{Name: name, TextHeader: header, OpenMetricsHeader: header}
	}
	put := func(s *Store, n byte, texts ...string) {
		l := new(Lines)
		for _, text := range texts {
			l.Buf = append(l.Buf, text...)
			l.Ends = append(l.Ends, len(l.Buf))
		}
		s.Put(Object{ID: ID{n}}, l)
	}
	a := New([]Family{family("shared"), family("a")}, budget)
	b := New([]Family{family("b"), family("shared")}, budget)
	put(a, 1, "shared{x=\"a\"} 1\n", "a 1\n")
	put(b, 2, "b 1\n", "shared{x=\"b\"} 1\n")

	for name, c := range map[string]struct {
		stores []*Store
		want   string
	}{
		"both": {[]*Store{a, b}, "# TYPE shared gauge\nshared{x=\"a\"} 1\nshared{x=\"b\"} 1\n" +
			"# TYPE a gauge\na 1\n# TYPE b gauge\nb 1\n"},
		"one": {[]*Store{b}, "# TYPE b gauge\nb 1\n# TYPE shared gauge\nshared{x=\"b\"} 1\n"},
	} {
		var text bytes.Buffer
		if err := TakeSnapshot(Text, c.stores...).WriteText(&text); err != nil {
			t.Fatal(err)
		}
		if text.String() != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, text.String(), c.want)
		}
	}
}

func FuzzGzipAssembly(f *testing.F) {
	f.Add([]byte("a 1\nb 2\n"), uint8(3), true)
	f.Add(bytes.Repeat([]byte("kube_pod_info{uid=\"x\"} 1\n"), 3000), uint8(200), false)
	f.Add([]byte{}, uint8(0), true)
	const families = 3
	tight, wide := NewBudget(0), NewBudget(1<<30) // shared, because their pools make this much faster
	f.Fuzz(func(t *testing.T, data []byte, step uint8, raw bool) {
		budget := tight
		if raw {
			budget = wide
		}
		s := New(testFamilies(families), budget)
		var texts [families][]byte
		for n := 0; n < slotsPerBucket && len(data) > 0; n++ { // one bucket, so that slots keep the order
			l := new(Lines)
			for f := range families {
				part := data[:min(len(data), int(step)*(n+f)+1)]
				data = data[len(part):]
				texts[f] = append(texts[f], part...)
				l.Buf = append(l.Buf, part...)
				l.Ends = append(l.Ends, len(l.Buf))
			}
			s.Put(Object{ID: testID(n)}, l)
		}
		var want, zipped, plain bytes.Buffer
		for f, text := range texts {
			if len(text) > 0 {
				want.Write(s.families[f].OpenMetricsHeader)
				want.Write(text)
			}
		}
		want.WriteString("# EOF\n")

		snap := TakeSnapshot(OpenMetrics, s)
		size := snap.GzipSize()
		if err := snap.WriteGzip(&zipped); err != nil {
			t.Fatal(err)
		}
		equal(t, "GzipSize", size, int64(zipped.Len()))
		if !bytes.Equal(gunzip(t, zipped.Bytes()), want.Bytes()) {
			t.Error("the decompressed text differs")
		}
		if err := snap.WriteText(&plain); err != nil || !bytes.Equal(plain.Bytes(), want.Bytes()) {
			t.Errorf("the plain text differs, error: %v", err)
		}
		verify(t, s)
		s.Retain(0, 0, func(func(ID) bool) {}) // removes its bytes from the budget
		equal(t, "raw bytes at the end", budget.RawBytes(), 0)
	})
}

func ExampleSnapshot_WriteGzip() {
	s := New([]Family{{Name: "up", TextHeader: []byte("# TYPE up gauge\n")}}, NewBudget(32<<20))
	s.Put(Object{ID: NewID("", "shop", "web"), Version: 1}, &Lines{Buf: []byte("up 1\n"), Ends: []int{5}})

	var body bytes.Buffer
	snap := TakeSnapshot(Text, s)
	if err := snap.WriteGzip(&body); err != nil {
		panic(err)
	}
	r, err := gzip.NewReader(&body)
	if err != nil {
		panic(err)
	}
	_, _ = io.Copy(os.Stdout, r)
	// Output:
	// # TYPE up gauge
	// up 1
}
