package fleet_test

import (
	"strings"
	"testing"

	"github.com/statefleet/statefleet/test/fleet"
)

func parse(t *testing.T, text string) fleet.Page {
	t.Helper()
	page, err := fleet.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return page
}

func TestDiffIgnoresOrder(t *testing.T) {
	a := parse(t, "# TYPE m gauge\nm{a=\"1\",b=\"2\"} 1\nm{a=\"2\",b=\"2\"} 2\n")
	b := parse(t, "# TYPE m gauge\nm{b=\"2\",a=\"2\"} 2.0\nm{a=\"1\",b=\"2\"} 1e0\n")
	if diff := fleet.Diff(a, b); diff != "" {
		t.Fatal(diff)
	}
}

func TestDiffNamesEachKindOfDifference(t *testing.T) {
	diff := fleet.Diff(parse(t, "a 1\nb 1\n"), parse(t, "b 2\nc 1\n"))
	for _, want := range []string{"missing    a{} 1", "different  b{} 2, want 1", "unexpected c{} 1"} {
		if !strings.Contains(diff, want) {
			t.Errorf("no %q in:\n%s", want, diff)
		}
	}
}

func TestUnionRefusesASeriesOnTwoPages(t *testing.T) {
	a, b := parse(t, "m{x=\"1\"} 1\n"), parse(t, "m{x=\"2\"} 1\nm{x=\"1\"} 1\n")
	if _, err := fleet.Union(a, b); err == nil || !strings.Contains(err.Error(), `m{x="1"}`) {
		t.Fatalf("got %v", err)
	}
	if union, err := fleet.Union(a, parse(t, "m{x=\"2\"} 1\n")); err != nil || len(union.Samples) != 2 {
		t.Fatalf("got %v, %v", union, err)
	}
}

func TestParseRefusesASeriesTwice(t *testing.T) {
	if _, err := fleet.Parse(strings.NewReader("m{x=\"1\"} 1\nm{x=\"1\"} 1\n")); err == nil {
		t.Fatal("want an error")
	}
}

func TestSum(t *testing.T) {
	page := parse(t, "m{r=\"pods\",s=\"a\"} 1\nm{r=\"pods\",s=\"b\"} 2\nm{r=\"nodes\",s=\"a\"} 4\n")
	if sum, n := page.Sum("m", map[string]string{"r": "pods"}); sum != 3 || n != 2 {
		t.Fatalf("got %v of %d samples, want 3 of 2", sum, n)
	}
	if sum, n := page.Sum("absent", nil); sum != 0 || n != 0 {
		t.Fatalf("got %v of %d samples, want none", sum, n)
	}
}
