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

// counts maps "package benchmark unit" to a number.
type counts map[string]float64

// guarded reports whether figures with a unit are compared with the baseline.
func guarded(unit string) bool {
	return unit == "allocs/op" || strings.HasSuffix(unit, "B/object")
}

// read adds the counts from the output of go test.
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

// tolerance is the factor by which a count may grow.
const tolerance = 1.1

// compare returns the counts that have grown by more than tolerance or that only one side has, and remarks on
// counts that have shrunk.
func (c counts) compare(now counts) (regressions, remarks []string) {
	for _, name := range slices.Sorted(maps.Keys(c)) {
		before := c[name]
		after, ok := now[name]
		switch {
		case !ok:
			regressions = append(regressions, name+": no longer measured")
		case after > before*tolerance:
			regressions = append(regressions, fmt.Sprintf("%s: %g, was %g", name, after, before))
		case after < before/tolerance:
			remarks = append(remarks, fmt.Sprintf("%s: %g, was %g; make bench-baseline updates the baseline", name, after, before))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if _, ok := c[name]; !ok {
			regressions = append(regressions, name+": not in the baseline")
		}
	}
	return regressions, remarks
}
