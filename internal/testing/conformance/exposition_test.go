package conformance

import (
	"strings"
	"testing"
)

func TestParseSample(t *testing.T) {
	f := func(line, wantSeries string, wantValue float64) {
		t.Helper()
		series, value, err := ParseSample(line)
		if err != nil || series != wantSeries || value != wantValue {
			t.Errorf("%s: got %s %v, error %v, want %s %v", line, series, value, err, wantSeries, wantValue)
		}
	}
	f(`a{} 1`, `a{}`, 1)
	f(`a{y="1",x="\"\\\n}"} 1e3`, `a{x="\"\\\n}",y="1"}`, 1000)

	bad := func(line string) {
		t.Helper()
		if series, _, err := ParseSample(line); err == nil {
			t.Errorf("%s: parsed as %s, want an error", line, series)
		}
	}
	bad(`a 1`)
	bad(`a{x="1"y="2"} 1`)
	bad(`a{x="1",x="2"} 1`)
	bad(`a{x="\t"} 1`)
	bad(`a{x="1} 1`)
	bad(`a{x="1"} one`)
}

func TestDiff(t *testing.T) {
	f := func(got, want, diff string) {
		t.Helper()
		g, w := NewExposition(), NewExposition()
		if err := g.Read(got); err != nil {
			t.Fatal(err)
		}
		if err := w.Read(want); err != nil {
			t.Fatal(err)
		}
		if d := strings.Join(g.Diff(w, func(name string) bool { return name != "ignored" }), "|"); d != diff {
			t.Errorf("got %s\nwant %s", d, diff)
		}
	}
	f("a{} NaN\nignored{} 1\n", "a{} NaN\n", "")
	f("a{} 1\n", "a{} NaN\n", "a{} is 1, want NaN")
	f("a{} NaN\n", "a{} 1\n", "a{} is NaN, want 1")
	f("a{x=\"\"} 1\n", "a{} 1\n", `missing: a{} 1|unexpected: a{x=""} 1`)
	f("a{} 1\na{} 1\n", "a{} 1\n", "duplicate: a{}")
	f("# TYPE a gauge\n", "# TYPE a counter\n", `a has type "gauge", want "counter"`)
}

func TestAddFamily(t *testing.T) {
	p := NewExposition()
	if err := p.AddFamily("a", "# TYPE a gauge\n", ""); err != nil || len(p.Types) != 0 {
		t.Errorf("family without lines: got %v, error %v, want an empty one", p, err)
	}
	if err := p.AddFamily("a", "# TYPE a gauge\n", "a{} 1\n"); err != nil || p.Types["a"] != "gauge" || p.Values["a{}"] != 1 {
		t.Errorf("family with one line: got %v, error %v, want its type and sample", p, err)
	}
	if err := p.AddFamily("a", "", "b{} 1\n"); err == nil {
		t.Error("a line of another family was accepted")
	}
}
