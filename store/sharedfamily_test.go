package store

import (
	"bytes"
	"testing"
)

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
		"both": {[]*Store{a, b}, "# TYPE shared gauge\nshared{x=\"a\"} 1\nshared{x=\"b\"} 1\n# TYPE a gauge\na 1\n# TYPE b gauge\nb 1\n"},
		"one":  {[]*Store{b}, "# TYPE b gauge\nb 1\n# TYPE shared gauge\nshared{x=\"b\"} 1\n"},
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
