package resources

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// page is a parsed exposition: what a scraper makes of the text.
type page struct {
	values map[string]float64 // by series, see seriesKey
	types  map[string]string  // by family
	twice  []string           // series that stood there before
}

func newPage() page { return page{values: map[string]float64{}, types: map[string]string{}} }

// read adds the lines of text to p.
func (p *page) read(text string) error {
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if rest, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, kind, _ := strings.Cut(rest, " ")
			p.types[name] = kind
			continue
		}
		if line == "" || line[0] == '#' {
			continue
		}
		series, value, err := parseSample(line)
		if err != nil {
			return fmt.Errorf("line %q: %w", line, err)
		}
		if _, ok := p.values[series]; ok {
			p.twice = append(p.twice, series)
		}
		p.values[series] = value
	}
	return nil
}

// parseSample reads one line of the text format without timestamp. The series
// it returns is equal for equal series, however they are spelled.
func parseSample(line string) (series string, value float64, err error) {
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
		text, after, err := unescape(after)
		if err != nil {
			return "", 0, err
		}
		labels = append(labels, label+"="+strconv.Quote(text))
		rest = strings.TrimPrefix(after, ",")
		if rest == after && !strings.HasPrefix(rest, "}") {
			return "", 0, fmt.Errorf("no comma at %q", rest)
		}
	}
	slices.Sort(labels)
	for i := 1; i < len(labels); i++ {
		if before, _, _ := strings.Cut(labels[i-1], "="); strings.HasPrefix(labels[i], before+"=") {
			return "", 0, fmt.Errorf("label %s twice", before)
		}
	}
	value, err = strconv.ParseFloat(strings.TrimPrefix(rest, "} "), 64)
	return name + "{" + strings.Join(labels, ",") + "}", value, err
}

// unescape reads a label value up to the quote that ends it.
func unescape(s string) (value, rest string, err error) {
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
				return "", "", fmt.Errorf("no end of %q", s)
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
	return "", "", fmt.Errorf("no end of %q", s)
}

func TestParseSample(t *testing.T) {
	f := func(line, wantSeries string, wantValue float64) {
		t.Helper()
		series, value, err := parseSample(line)
		if err != nil || series != wantSeries || value != wantValue {
			t.Errorf("%s: got %s %v, error %v", line, series, value, err)
		}
	}
	f(`a{} 1`, `a{}`, 1)
	f(`a{y="1",x="\"\\\n}"} 1e3`, `a{x="\"\\\n}",y="1"}`, 1000)

	bad := func(line string) {
		t.Helper()
		if series, _, err := parseSample(line); err == nil {
			t.Errorf("%s was read as %s", line, series)
		}
	}
	bad(`a 1`)
	bad(`a{x="1"y="2"} 1`)
	bad(`a{x="1",x="2"} 1`)
	bad(`a{x="\t"} 1`)
	bad(`a{x="1} 1`)
	bad(`a{x="1"} one`)
}
