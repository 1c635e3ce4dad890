package guard

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

const output = `goos: linux
pkg: github.com/statefleet/statefleet/store
BenchmarkPutNew         	   20000	     34229 ns/op	 237.93 MB/s	   25087 B/op	      11 allocs/op
BenchmarkGzip/clean     	      30	  12493437 ns/op	      2030.5 compressed-B/object	  453692 B/op	      81 allocs/op
PASS
ok  	github.com/statefleet/statefleet/store	9.5s
pkg: github.com/statefleet/statefleet/shard
BenchmarkHash 	     200	        41.66 ns/op	       0 B/op	       0 allocs/op
`

func TestCountsAreRead(t *testing.T) {
	c := counts{}
	if err := c.read(strings.NewReader(output)); err != nil {
		t.Fatal(err)
	}
	want := counts{
		"shard BenchmarkHash allocs/op": 0, "store BenchmarkGzip/clean allocs/op": 81,
		"store BenchmarkGzip/clean compressed-B/object": 2030.5, "store BenchmarkPutNew allocs/op": 11,
	}
	if !maps.Equal(c, want) {
		t.Errorf("got %v, want %v", c, want)
	}
}

func TestCompare(t *testing.T) {
	f := func(name string, before, now counts, regressions, remarks []string) {
		t.Helper()
		r, m := before.compare(now)
		if !slices.Equal(r, regressions) || !slices.Equal(m, remarks) {
			t.Errorf("%s: got regressions %q and remarks %q, want %q and %q", name, r, m, regressions, remarks)
		}
	}
	f("the same", counts{"a": 10, "b": 0}, counts{"a": 10, "b": 0}, nil, nil)
	f("a tenth more", counts{"a": 10}, counts{"a": 11}, nil, nil)
	f("more", counts{"a": 10}, counts{"a": 11.1}, []string{"a: 11.1, was 10"}, nil)
	f("from nothing", counts{"a": 0}, counts{"a": 1}, []string{"a: 1, was 0"}, nil)
	f("gone", counts{"a": 0}, counts{}, []string{"a: no longer measured"}, nil)
	f("new", counts{}, counts{"a": 0}, []string{"a: not in the baseline"}, nil)
	f("less", counts{"a": 10}, counts{"a": 5}, nil, []string{"a: 5, was 10; make bench-baseline updates the baseline"})
}
