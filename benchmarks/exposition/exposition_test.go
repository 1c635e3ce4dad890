package exposition_test

import (
	"strings"
	"testing"

	"github.com/statefleet/statefleet/benchmarks/exposition"
)

func parse(t *testing.T, text string) exposition.Exposition {
	t.Helper()
	metrics, err := exposition.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return metrics
}

func TestDiffIgnoresOrder(t *testing.T) {
	a := parse(t, "# TYPE m gauge\nm{a=\"1\",b=\"2\"} 1\nm{a=\"2\",b=\"2\"} 2\n")
	b := parse(t, "# TYPE m gauge\nm{b=\"2\",a=\"2\"} 2.0\nm{a=\"1\",b=\"2\"} 1e0\n")
	if diff := exposition.Diff(a, b); diff != "" {
		t.Fatal(diff)
	}
}

func TestDiffNamesEachKindOfDifference(t *testing.T) {
	diff := exposition.Diff(parse(t, "a 1\nb 1\n"), parse(t, "b 2\nc 1\n"))
	for _, want := range []string{"missing    a{} 1", "different  b{} 2, want 1", "unexpected c{} 1"} {
		if !strings.Contains(diff, want) {
			t.Errorf("diff does not have %q:\n%s", want, diff)
		}
	}
}

func TestUnionRefusesASeriesInTwoExpositions(t *testing.T) {
	a, b := parse(t, "m{x=\"1\"} 1\n"), parse(t, "m{x=\"2\"} 1\nm{x=\"1\"} 1\n")
	if _, err := exposition.Union(a, b); err == nil || !strings.Contains(err.Error(), `m{x="1"}`) {
		t.Fatalf("got error %v, want one that names the series", err)
	}
	if union, err := exposition.Union(a, parse(t, "m{x=\"2\"} 1\n")); err != nil || len(union.Samples) != 2 {
		t.Fatalf("got %v, %v, want 2 samples", union, err)
	}
}

func TestParseRefusesASeriesTwice(t *testing.T) {
	if _, err := exposition.Parse(strings.NewReader("m{x=\"1\"} 1\nm{x=\"1\"} 1\n")); err == nil {
		t.Fatal("got no error, want one")
	}
}

func TestSum(t *testing.T) {
	metrics := parse(t, "m{r=\"pods\",s=\"a\"} 1\nm{r=\"pods\",s=\"b\"} 2\nm{r=\"nodes\",s=\"a\"} 4\n")
	if sum, n := metrics.Sum("m", map[string]string{"r": "pods"}); sum != 3 || n != 2 {
		t.Fatalf("got a sum of %v of %d samples, want 3 of 2", sum, n)
	}
	if sum, n := metrics.Sum("absent", nil); sum != 0 || n != 0 {
		t.Fatalf("got a sum of %v of %d samples, want 0 of 0", sum, n)
	}
}

func TestValueTakesLabelsInPairs(t *testing.T) {
	metrics := parse(t, "m{r=\"pods\",s=\"a\"} 1\nm{r=\"pods\",s=\"b\"} 2\nm{r=\"nodes\",s=\"a\"} 4\n")
	if got := metrics.Value("m", "r", "pods", "s", "b"); got != 2 {
		t.Errorf("got %v, want 2", got)
	}
	if got := metrics.Value("m"); got != 7 {
		t.Errorf("got %v, want 7", got)
	}
}

func TestLinesAreCounted(t *testing.T) {
	lines := exposition.Lines{}
	if err := lines.Add(strings.NewReader("# HELP a b\na{x=\"1\"} 1\na{x=\"2\"} 1\n\nb{x=\"1\"} 2\n# EOF\n")); err != nil {
		t.Fatal(err)
	}
	if len(lines) != 3 || lines.Count("a{") != 2 || lines.Count("a{", `x="2"`) != 1 || lines.Count("", `x="1"`, "b{") != 1 {
		t.Errorf("got %v, want 3 lines, 2 of a and 1 of b", lines)
	}
}

func TestLinesDiff(t *testing.T) {
	metrics := exposition.Lines{"a 1": 1, "b 2": 1}
	f := func(got exposition.Lines, want string) {
		t.Helper()
		if diff := got.Diff(metrics); diff != want {
			t.Errorf("%v: got %q, want %q", got, diff, want)
		}
	}
	f(exposition.Lines{"a 1": 1, "b 2": 1}, "")
	f(exposition.Lines{"a 1": 1}, "missing b 2")
	f(exposition.Lines{"a 1": 2, "b 2": 1}, "duplicate a 1")
	f(exposition.Lines{"a 1": 1, "b 2": 1, "c 3": 1}, "unexpected c 3")
}

func TestLabel(t *testing.T) {
	line := []byte(`m{pod_name="no",pod="yes"} 1`)
	for name, want := range map[string]string{"pod": "yes", "pod_name": "no", "name": ""} {
		if got := exposition.Label(line, name); got != want {
			t.Errorf("label %s: got %q, want %q", name, got, want)
		}
	}
}
