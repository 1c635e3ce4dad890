// Package conformance compares expositions with the lines that a fixture
// expects, for the tests of the packages that write them.
package conformance

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Exposition is a parsed exposition.
type Exposition struct {
	Values map[string]float64 // by series, in the form that ParseSample returns
	Types  map[string]string  // by family
	Twice  []string           // series that occurred more than once
}

// NewExposition returns an empty one.
func NewExposition() Exposition {
	return Exposition{Values: map[string]float64{}, Types: map[string]string{}}
}

// Read adds the lines of text to e.
func (e *Exposition) Read(text string) error {
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if rest, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, kind, _ := strings.Cut(rest, " ")
			e.Types[name] = kind
			continue
		}
		if line == "" || line[0] == '#' {
			continue
		}
		series, value, err := ParseSample(line)
		if err != nil {
			return fmt.Errorf("line %q: %w", line, err)
		}
		if _, ok := e.Values[series]; ok {
			e.Twice = append(e.Twice, series)
		}
		e.Values[series] = value
	}
	return nil
}

// ParseSample parses one line of the text format, without a timestamp. The series
// it returns has a canonical form, with sorted labels.
func ParseSample(line string) (series string, value float64, err error) {
	name, rest, ok := strings.Cut(line, "{")
	if !ok {
		return "", 0, fmt.Errorf("no labels")
	}
	var labels []string
	for !strings.HasPrefix(rest, "}") {
		label, after, ok := strings.Cut(rest, `="`)
		if !ok {
			return "", 0, fmt.Errorf("no label at %q", rest)
		}
		text, after, err := Unescape(after)
		if err != nil {
			return "", 0, err
		}
		labels = append(labels, label+"="+strconv.Quote(text))
		rest = strings.TrimPrefix(after, ",")
		if rest == after && !strings.HasPrefix(rest, "}") {
			return "", 0, fmt.Errorf("no comma before %q", rest)
		}
	}
	slices.Sort(labels)
	for i := 1; i < len(labels); i++ {
		if before, _, _ := strings.Cut(labels[i-1], "="); strings.HasPrefix(labels[i], before+"=") {
			return "", 0, fmt.Errorf("duplicate label %s", before)
		}
	}
	value, err = strconv.ParseFloat(strings.TrimPrefix(rest, "} "), 64)
	return name + "{" + strings.Join(labels, ",") + "}", value, err
}

// Unescape returns the label value before the first unescaped quote, and the rest of s
// after the quote.
func Unescape(s string) (value, rest string, err error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], nil
		case '\n':
			return "", "", fmt.Errorf("line feed in %q", s)
		case '\\':
			i++
			if i == len(s) {
				return "", "", fmt.Errorf("unterminated label value %q", s)
			}
			at := strings.IndexByte(`\"n`, s[i])
			if at < 0 {
				return "", "", fmt.Errorf("unknown escape in %q", s)
			}
			b.WriteByte("\\\"\n"[at])
		default:
			b.WriteByte(s[i])
		}
	}
	return "", "", fmt.Errorf("unterminated label value %q", s)
}

// AddFamily reads the lines of one object's family as an exposition would have
// them: after their header, which is absent if there are no lines.
func (e *Exposition) AddFamily(name, header, lines string) error {
	if lines == "" {
		return nil
	}
	for line := range strings.Lines(lines) {
		if !strings.HasPrefix(line, name+"{") {
			return fmt.Errorf("line %q is not a sample of %s", line, name)
		}
	}
	return e.Read(header + lines)
}

// Diff returns a line for each duplicate, missing, unexpected or different sample
// of e, and for each different type. A sample that want does not have counts only
// if compared returns true for its family.
func (e *Exposition) Diff(want Exposition, compared func(family string) bool) []string {
	var diff []string
	for _, series := range e.Twice {
		diff = append(diff, "duplicate: "+series)
	}
	for _, series := range slices.Sorted(maps.Keys(want.Values)) {
		w := want.Values[series]
		got, ok := e.Values[series]
		switch {
		case !ok:
			diff = append(diff, fmt.Sprintf("missing: %s %v", series, w))
		case got != w && (got == got || w == w):
			diff = append(diff, fmt.Sprintf("%s is %v, want %v", series, got, w))
		}
	}
	for _, series := range slices.Sorted(maps.Keys(e.Values)) {
		name, _, _ := strings.Cut(series, "{")
		if _, ok := want.Values[series]; !ok && compared(name) {
			diff = append(diff, fmt.Sprintf("unexpected: %s %v", series, e.Values[series]))
		}
	}
	for _, family := range slices.Sorted(maps.Keys(want.Types)) {
		if got := e.Types[family]; got != want.Types[family] {
			diff = append(diff, fmt.Sprintf("%s has type %q, want %q", family, got, want.Types[family]))
		}
	}
	return diff
}
