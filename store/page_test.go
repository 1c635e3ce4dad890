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

func TestPagesConcatenateToOneGzipMember(t *testing.T) {
	s := New(testFamilies(4), nil)
	other := New([]Family{{Name: "other", TextHeader: []byte("# TYPE other gauge\n"), OpenMetricsHeader: []byte("# TYPE other info\n")}}, nil)
	fill(s, 0, 3*slotsPerBucket, 1)
	other.Put(Object{ID: testID(1)}, linesOf("other 1\n"))

	for _, f := range []Format{Text, OpenMetrics} {
		var packed bytes.Buffer
		if err := Collect(f, s, other).WriteGzip(&packed); err != nil {
			t.Fatal(err)
		}
		text := string(gunzip(t, packed.Bytes())) // checks that it is one member
		tail := "# TYPE other gauge\nother 1\n"
		if f == OpenMetrics {
			tail = "# TYPE other info\nother 1\n# EOF\n"
		}
		text, found := strings.CutSuffix(text, tail)
		equal(t, "ends in the second store", found, true)
		page := parsePage(t, Text, strings.ReplaceAll(text, " info\n", " gauge\n"), s.families)
		equal(t, "families", len(page), 4)
	}
}

func TestEmptyPage(t *testing.T) {
	for _, stores := range [][]*Store{nil, {New(testFamilies(3), nil)}} {
		for f, want := range []string{Text: "", OpenMetrics: "# EOF\n"} {
			page := Collect(Format(f), stores...)
			readPage(t, Format(f), page, nil)
			var text bytes.Buffer
			if err := page.WriteText(&text); err != nil {
				t.Fatal(err)
			}
			equal(t, "text", text.String(), want)
		}
	}
}

func TestIdentityScrapeDeflatesNothing(t *testing.T) {
	s := New(testFamilies(4), nil)
	fill(s, 0, 100, 1)
	before := s.Stats()
	page := Collect(Text, s)
	if err := page.WriteText(io.Discard); err != nil {
		t.Fatal(err)
	}
	equal(t, "Stats", s.Stats(), before)
}

func TestGzipScrapeDeflatesAPageOnceAndKeepsBothForms(t *testing.T) {
	s := New(testFamilies(4), nil)
	s.Loaded()
	fill(s, 0, 100, 1)
	for range 3 {
		Collect(OpenMetrics, s).GzipSize()
		st := s.Stats()
		equal(t, "Packs", st.Packs, 8)
		equal(t, "Unpacks", st.Unpacks, 0)
		equal(t, "PackedPages", st.PackedPages, 8)
		equal(t, "RawPages", st.RawPages, 8)
	}
	s.Sweep(0, noon)
	equal(t, "Packs after the sweep", s.Stats().Packs, 8)
	equal(t, "RawPages after the sweep", s.Stats().RawPages, 0)
	verify(t, s)
}

// A snapshot holds raw text; the pages must not be edited under it.
func TestSnapshotStaysAsItWas(t *testing.T) {
	s := New(testFamilies(4), nil)
	fill(s, 0, 100, 1)
	want := readPage(t, Text, Collect(Text, s), s.families)
	page := Collect(Text, s)
	fill(s, 0, 120, 2)
	s.Delete(testID(5))
	begin(s, everything, even)
	commit(s, even)
	s.Sweep(0, noon)
	equalContent(t, readPage(t, Text, page, s.families), want)
}

func TestReleasedPageIsEmpty(t *testing.T) {
	s := New(testFamilies(2), nil)
	fill(s, 0, 3, 1)
	page := Collect(Text, s)
	page.Release()
	equal(t, "Size", page.Size(), 0)
	readPage(t, Text, page, s.families)
}

// brokenWriter takes some bytes and then fails.
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
	page := Collect(Text, s)
	for _, room := range []int{0, 10, int(page.GzipSize()) - 1} {
		if err := page.WriteGzip(&brokenWriter{room}); !errors.Is(err, errBroken) {
			t.Errorf("WriteGzip with room for %d: %v", room, err)
		}
	}
	for _, room := range []int{0, chunkBytes, int(page.Size()) - 1} {
		if err := page.WriteText(&brokenWriter{room}); !errors.Is(err, errBroken) {
			t.Errorf("WriteText with room for %d: %v", room, err)
		}
	}
	readPage(t, Text, page, s.families) // and can be written again
}

func FuzzGzipAssembly(f *testing.F) {
	f.Add([]byte("a 1\nb 2\n"), uint8(3), true)
	f.Add(bytes.Repeat([]byte("kube_pod_info{uid=\"x\"} 1\n"), 3000), uint8(200), false)
	f.Add([]byte{}, uint8(0), true)
	const families = 3
	tight, roomy := NewBudget(0), NewBudget(1<<30) // their pools make this much faster
	f.Fuzz(func(t *testing.T, data []byte, step uint8, raw bool) {
		budget := tight
		if raw {
			budget = roomy
		}
		s := New(testFamilies(families), budget)
		var texts [families][]byte
		for n := 0; n < slotsPerBucket && len(data) > 0; n++ { // one bucket: slots keep the order
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
		var want, packed, plain bytes.Buffer
		for f, text := range texts {
			if len(text) > 0 {
				want.Write(s.families[f].OpenMetricsHeader)
				want.Write(text)
			}
		}
		want.WriteString("# EOF\n")

		page := Collect(OpenMetrics, s)
		size := page.GzipSize()
		if err := page.WriteGzip(&packed); err != nil {
			t.Fatal(err)
		}
		equal(t, "GzipSize", size, int64(packed.Len()))
		if !bytes.Equal(gunzip(t, packed.Bytes()), want.Bytes()) {
			t.Error("gzip holds other text")
		}
		if err := page.WriteText(&plain); err != nil || !bytes.Equal(plain.Bytes(), want.Bytes()) {
			t.Errorf("the plain text differs (%v)", err)
		}
		verify(t, s)
		s.Retain(0, 0, func(func(ID) bool) {}) // takes its bytes out of the budget
		equal(t, "raw bytes at the end", budget.RawBytes(), 0)
	})
}

func ExamplePage_WriteGzip() {
	s := New([]Family{{Name: "up", TextHeader: []byte("# TYPE up gauge\n")}}, NewBudget(32<<20))
	s.Put(Object{ID: NewID("", "shop", "web"), Version: 1}, &Lines{Buf: []byte("up 1\n"), Ends: []int{5}})

	var body bytes.Buffer
	page := Collect(Text, s)
	if err := page.WriteGzip(&body); err != nil {
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
