package resources

import (
	"slices"
	"strings"
	"testing"

	"github.com/statefleet/statefleet/internal/wire"
)

// TestSkipZeroStateSets renders all fixtures with and without the samples that can be left out.
func TestSkipZeroStateSets(t *testing.T) {
	left, stayed := map[string]int{}, map[string]int{} // samples with the value 0 by family
	for _, f := range readFixtures(t) {
		all := f.options.filter(t)
		less := all
		less.SkipZeroStateSets = true
		for _, o := range f.objects {
			k := kindsByName()[o.resource]
			if k.renderer == nil {
				continue
			}
			for _, enc := range []wire.Encoding{wire.Protobuf, wire.JSON} {
				with, without := linesByFamily(t, k, all, enc, o.raw[enc]), linesByFamily(t, k, less, enc, o.raw[enc])
				for family, lines := range with {
					want := withoutZeros(family, lines, left, stayed)
					if got := without[family]; got != want {
						t.Errorf("%s: %s: got\n%s\nwant\n%s", f.name, family, got, want)
					}
				}
			}
		}
	}
	for _, s := range stateSets() {
		if left[s.family] == 0 {
			t.Errorf("%s: no sample is left out: the family or a fixture of it is missing", s.family)
		}
		if (stayed[s.family] > 0) != (s.kept != "") {
			t.Errorf("%s: %d samples with the value 0 stay, but kept is %q", s.family, stayed[s.family], s.kept)
		}
	}
}

// linesByFamily returns the lines of an object by family.
func linesByFamily(t *testing.T, k Kind, f Filter, enc wire.Encoding, raw []byte) map[string]string {
	t.Helper()
	r := mustRenderer(t, k, f)
	var l Lines
	if err := r.Render(enc, raw, &l); err != nil {
		t.Fatal(err)
	}
	byFamily := map[string]string{}
	for i, family := range r.Families() {
		byFamily[family.Name] = string(l.Family(i))
	}
	return byFamily
}

// withoutZeros returns the lines of a family that stay according to stateSets, and counts those with the value 0.
func withoutZeros(family, lines string, left, stayed map[string]int) string {
	i := slices.IndexFunc(stateSets(), func(s stateSet) bool { return s.family == family })
	if i < 0 {
		return lines
	}
	var b strings.Builder
	for line := range strings.Lines(lines) {
		kept := stateSets()[i].kept
		switch zero := strings.HasSuffix(line, " 0\n"); {
		case zero && (kept == "" || !strings.Contains(line, kept)):
			left[family]++
			continue
		case zero:
			stayed[family]++
		}
		b.WriteString(line)
	}
	return b.String()
}

// The lines of earlier families of the object stay unchanged.
func TestZerosAreRemovedWithinTheirFamily(t *testing.T) {
	var l Lines
	l.Buf = []byte("before{} 0\n")
	w := SampleWriter{lines: &l}
	w.writeFamily(0, "x", &stateSet{kept: `a="1"`}, func() {
		w.Sample(0, "a", `b="1"`, "c", `a="1"`) // a quote within a value is escaped
		w.Sample(10, "a", "0")
		w.Sample(0, "a", "1")
		w.Sample(0)
	})
	const want = "before{} 0\n" + `x{a="0"} 10` + "\n" + `x{a="1"} 0` + "\n"
	if got := string(l.Buf); got != want || l.Ends[0] != len(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
