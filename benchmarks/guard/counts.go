package guard

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// counts are numbers by "package benchmark unit".
type counts map[string]float64

// guarded says which units of a benchmark's line are compared.
func guarded(unit string) bool {
	return unit == "allocs/op" || strings.HasSuffix(unit, "B/object")
}

// read adds the counts in the output of go test.
func (c counts) read(output io.Reader) error {
	lines := bufio.NewScanner(output)
	pkg := ""
	for lines.Scan() {
		if name, ok := strings.CutPrefix(lines.Text(), "pkg: "); ok {
			pkg = name[strings.LastIndexByte(name, '/')+1:]
		}
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		for i := 2; i+1 < len(fields); i += 2 {
			if !guarded(fields[i+1]) {
				continue
			}
			value, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				return fmt.Errorf("%s: %w", fields[0], err)
			}
			c[pkg+" "+fields[0]+" "+fields[i+1]] = value
		}
	}
	return lines.Err()
}

// String is the form of the baseline, one count a line.
func (c counts) String() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(c)) {
		fmt.Fprintf(&b, "%s %s\n", name, strconv.FormatFloat(c[name], 'f', -1, 64))
	}
	return b.String()
}

func parseCounts(r io.Reader) (counts, error) {
	c := counts{}
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		at := strings.LastIndexByte(lines.Text(), ' ')
		value, err := strconv.ParseFloat(lines.Text()[at+1:], 64)
		if err != nil || at < 0 {
			return nil, fmt.Errorf("line %d: %q is no count", n, lines.Text())
		}
		c[lines.Text()[:at]] = value
	}
	return c, lines.Err()
}

// tolerated is how much a count may grow.
const tolerated = 1.1

// compare returns the counts that have grown too much or are gone, and remarks on others.
func (c counts) compare(now counts) (regressions, remarks []string) {
	for _, name := range slices.Sorted(maps.Keys(c)) {
		before := c[name]
		after, ok := now[name]
		switch {
		case !ok:
			regressions = append(regressions, name+": no longer measured")
		case after > before*tolerated:
			regressions = append(regressions, fmt.Sprintf("%s: %g, was %g", name, after, before))
		case after < before/tolerated:
			remarks = append(remarks, fmt.Sprintf("%s: %g, was %g; make bench-baseline keeps it there", name, after, before))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if _, ok := c[name]; !ok {
			regressions = append(regressions, name+": not in the baseline")
		}
	}
	return regressions, remarks
}
