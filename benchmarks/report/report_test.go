package report

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestTableLinesUp(t *testing.T) {
	var b strings.Builder
	Table(&b, [][]string{{"what", "µs"}, {"an event", "110"}, {"x", ""}})
	var widths []int
	for line := range strings.Lines(b.String()) {
		widths = append(widths, utf8.RuneCountInString(line))
	}
	if len(widths) != 4 || widths[0] != widths[1] || widths[1] != widths[2] || widths[2] != widths[3] {
		t.Errorf("got line widths %v, want 4 equal ones:\n%s", widths, &b)
	}
}

func TestNumbers(t *testing.T) {
	for want, n := range map[string]float64{"0.12": 0.123, "9.99": 9.99, "10.0": 9.999, "12.3": 12.34, "100": 99.97, "1235": 1234.6} {
		if got := Number(n); got != want {
			t.Errorf("%g: got %s, want %s", n, got, want)
		}
	}
	for want, n := range map[string]int{"20k": 20_000, "1k": 1000, "1500": 1500, "0": 0} {
		if got := Thousands(n); got != want {
			t.Errorf("%d: got %s, want %s", n, got, want)
		}
	}
}

func TestRenewLeavesTheRest(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.md")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("one\n<!-- x: begin -->\nold\n<!-- x: end -->\ntwo\n")
	for range 2 {
		if err := Renew(file, "x", "new\n"); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != "one\n<!-- x: begin -->\n\nnew\n\n<!-- x: end -->\ntwo\n" {
			t.Errorf("got %q, %v, want the text between the markers replaced", got, err)
		}
	}
	if err := Renew(file, "y", "new\n"); err == nil {
		t.Error("got no error for a missing marker, want one")
	}
	write("<!-- x: end -->\n<!-- x: begin -->\n")
	if err := Renew(file, "x", "new\n"); err == nil {
		t.Error("got no error for markers in the wrong order, want one")
	}
}

func TestSaveMakesBothFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "results")
	if err := Save(dir, "x", "text\n", map[string]int{"a": 1}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"x.md": "# x\n\ntext\n", "x.json": "{\n  \"a\": 1\n}\n"} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != want {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, want)
		}
	}
}

func TestFiguresOfShardsAreSummedUp(t *testing.T) {
	measures := []Measure{{Name: "time", Unit: "s", Longest: true}, {Name: "memory", Unit: "MiB"}, {Name: "series"}}
	all := Sum(measures, []Figures{{"time": 3, "memory": 1}, {"time": 2, "memory": 5}})
	if len(all) != 2 || all["time"] != 3 || all["memory"] != 6 {
		t.Errorf("got the sum %v, want a time of 3 and a memory of 6", all)
	}
	medians := MedianOf(measures, []Figures{{"time": 9, "memory": 1}, {"time": 1, "memory": 1}, {"time": 2}})
	if len(medians) != 1 || medians["time"] != 2 {
		t.Errorf("got the medians %v, want only a time of 2", medians)
	}
	var b strings.Builder
	WriteFigures(&b, measures, []string{"one", "two"}, []Figures{{"time": 3}, {"series": 5}})
	for want, n := range map[string]int{"| time, s ": 1, "| series ": 1, "memory": 0} {
		if got := strings.Count(b.String(), want); got != n {
			t.Errorf("got %q %d times, want %d times:\n%s", want, got, n, &b)
		}
	}
}

func TestRatiosAreOfCommonFigures(t *testing.T) {
	var b strings.Builder
	WriteRatios(&b, []Measure{{Name: "a", Unit: "MiB"}, {Name: "b"}}, [4]string{"median", "own", "other", "ratio"},
		Figures{"a": 2, "b": 1}, Figures{"a": 6})
	if !strings.Contains(b.String(), "| 6.00 MiB | 3.00  |") || strings.Contains(b.String(), "| b ") {
		t.Errorf("got a table without the ratio 3 of a, or with a row for b, which only one side has:\n%s", &b)
	}
}

func TestMedian(t *testing.T) {
	for want, values := range map[float64][]float64{5: {5}, 2: {3, 1, 2}, 2.5: {4, 1, 2, 3}} {
		if got := Median(values); got != want {
			t.Errorf("%v: got %g, want %g", values, got, want)
		}
	}
}
