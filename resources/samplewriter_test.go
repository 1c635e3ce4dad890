package resources

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/internal/testing/conformance"
)

// written returns the lines that write appends for a family "m" of an object with the identity id="x".
func written(write func(w *SampleWriter)) (text string, skipped int) {
	var l Lines
	w := SampleWriter{lines: &l}
	w.setIdentity("id", "x")
	w.beginFamily("m")
	write(&w)
	return string(l.Buf), l.Skipped
}

func TestSampleWriter(t *testing.T) {
	f := func(write func(w *SampleWriter), want ...string) {
		t.Helper()
		text, _ := written(write)
		var lines []string
		for line := range strings.Lines(text) {
			lines = append(lines, strings.TrimSuffix(strings.TrimPrefix(line, `m{id="x"`), "\n"))
		}
		if strings.Join(lines, "|") != strings.Join(want, "|") {
			t.Errorf("got %q, want %q", lines, want)
		}
	}
	at := metav1.Unix(1700000000, 0)
	n := int32(-7)

	f(func(w *SampleWriter) { w.Value(1.5) }, `} 1.5`)
	f(func(w *SampleWriter) { w.Sample(1, "a", "b", "c", "") }, `,a="b",c=""} 1`)
	f(func(w *SampleWriter) { w.Sample(1, "a", "\"\\\n\r") }, `,a="\"\\\n`+"\r"+`"} 1`)
	f(func(w *SampleWriter) { w.Sample(1, "a", "x\xffy") }, `,a="x�y"} 1`)
	f(func(w *SampleWriter) { w.Int(math.MaxInt32) }, `} 2147483647`)
	f(func(w *SampleWriter) { w.Bool(true); w.Bool(false) }, `} 1`, `} 0`)
	f(func(w *SampleWriter) { w.Time(&at) }, `} 1700000000`)
	f(func(w *SampleWriter) { w.Time(nil); w.Time(&metav1.Time{}) })
	f(func(w *SampleWriter) { w.Time(&at, "a", "b") }, `,a="b"} 1700000000`)
	f(func(w *SampleWriter) { epoch := metav1.NewTime(time.Unix(0, 0)); w.Time(&epoch) }, `} 0`)
	f(func(w *SampleWriter) { optionalInt[int32](w, nil); optionalInt(w, &n) }, `} -7`)
	f(func(w *SampleWriter) { w.StateSet("phase", "b", "a", "b") }, `,phase="a"} 0`, `,phase="b"} 1`)
	f(func(w *SampleWriter) { w.conditionStatus(corev1.ConditionFalse, "status", "type", "Ready") },
		`,type="Ready",status="true"} 0`, `,type="Ready",status="false"} 1`, `,type="Ready",status="unknown"} 0`)
}

// The braces are empty if there are no labels.
func TestSampleWithoutLabels(t *testing.T) {
	var l Lines
	w := SampleWriter{lines: &l}
	w.beginFamily("m")
	w.Value(1)
	if string(l.Buf) != "m{} 1\n" {
		t.Errorf("got %q, want %q", l.Buf, "m{} 1\n")
	}
}

// The first sample is written and the others are counted, whatever their values are.
func TestUniqueSampleWritesASeriesOnce(t *testing.T) {
	text, skipped := written(func(w *SampleWriter) {
		w.UniqueSample(1, "a", "x")
		w.UniqueSample(2, "a", "y")
		w.UniqueSample(3, "a", "x")
		w.UniqueSample(4, "a", `x"} 1`)
	})
	want := "m{id=\"x\",a=\"x\"} 1\nm{id=\"x\",a=\"y\"} 2\nm{id=\"x\",a=\"x\\\"} 1\"} 4\n"
	if text != want || skipped != 1 {
		t.Errorf("got %d skipped, want 1; got text\n%swant\n%s", skipped, text, want)
	}
}

// A series that an object may legitimately have twice is written once and not counted as skipped.
func TestSampleIfNewCountsNothing(t *testing.T) {
	text, skipped := written(func(w *SampleWriter) {
		if !w.SampleIfNew(1, "a", "x") || w.SampleIfNew(2, "a", "x") {
			t.Error("SampleIfNew must return true for the first sample and false for the second")
		}
	})
	if want := "m{id=\"x\",a=\"x\"} 1\n"; text != want || skipped != 0 {
		t.Errorf("got %d skipped and %s, want 0 and %s", skipped, text, want)
	}
}

// A series of the previous family is not a repetition.
func TestUniqueSampleConcernsOneFamily(t *testing.T) {
	text, skipped := written(func(w *SampleWriter) {
		w.UniqueSample(1)
		w.beginFamily("m")
		w.UniqueSample(2)
	})
	if skipped != 0 || strings.Count(text, "\n") != 2 {
		t.Errorf("got %d skipped, want 0, and two lines:\n%s", skipped, text)
	}
}

func TestAppendValue(t *testing.T) {
	for _, v := range []float64{
		0, 1, -1, 0.1, 1.7e9, 1e14, 1e15, 1e16, 1 << 53, 1<<53 + 2, -1e15, 1e21, 1e-9, 0.30000000000000004,
		math.MaxFloat64, math.SmallestNonzeroFloat64, math.Inf(1), math.Inf(-1), math.NaN(), math.MaxInt64, math.MinInt64,
	} {
		text := string(appendValue(nil, v))
		back, err := strconv.ParseFloat(text, 64)
		if err != nil || back != v && back == back {
			t.Errorf("appendValue(%v) = %s, which parses to %v", v, text, back)
		}
		if v == math.Trunc(v) && math.Abs(v) < 1e15 && strings.ContainsAny(text, ".eE") {
			t.Errorf("appendValue(%v) = %s, want digits only", v, text)
		}
	}
}

// A label value is parsed unchanged, except for invalid UTF-8, and never ends its line.
func FuzzLabelEscaping(f *testing.F) {
	for _, s := range []string{"", "plain", `a"b\c`, "a\nb", `\n`, "\xff", "trailing\\", `x"} 1`} {
		f.Add(s, 1.5)
	}
	f.Fuzz(func(t *testing.T, value string, number float64) {
		text, _ := written(func(w *SampleWriter) { w.Sample(number, "a", value) })
		line, ok := strings.CutSuffix(text, "\n")
		if !ok || strings.Contains(line, "\n") || !utf8.ValidString(line) {
			t.Fatalf("got %q, want one line of valid UTF-8", text)
		}
		series, back, err := conformance.ParseSample(line)
		want := "m{a=" + strconv.Quote(strings.ToValidUTF8(value, "\uFFFD")) + `,id="x"}`
		if err != nil || series != want || back != number && number == number {
			t.Fatalf("%q is parsed as %s %v, error %v, want %s %v", line, series, back, err, want, number)
		}
	})
}

// So users cannot choose label values that hide another series of an object with many series.
func TestIndexOfSeriesHasARandomKey(t *testing.T) {
	index := func() map[uint64]struct{} {
		w := SampleWriter{lines: new(Lines)}
		w.beginFamily("many")
		for i := range 1000 {
			if !w.SampleIfNew(1, "i", strconv.Itoa(i)) {
				t.Fatalf("series %d counts as a repetition", i)
			}
		}
		return w.index
	}
	a, b := index(), index()
	if len(a) < 500 {
		t.Fatalf("got %d indexed series, want at least 500", len(a))
	}
	for key := range a {
		if _, both := b[key]; both {
			t.Fatal("two indexes have a hash in common, want different keys")
		}
	}
}
