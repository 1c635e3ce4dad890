// Package exposition reads expositions in the Prometheus text format.
package exposition

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// maxLine is the maximum length of a line, in bytes.
const maxLine = 16 << 20

// Samples calls yield with each sample line, without parsing it. The line is valid only during the call. A line of
// more than 16 MiB is an error.
func Samples(r io.Reader, yield func(line []byte)) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	for lines.Scan() {
		if line := lines.Bytes(); len(line) > 0 && line[0] != '#' {
			yield(line)
		}
	}
	return lines.Err()
}

// Lines maps each sample line to the number of its occurrences.
type Lines map[string]int

// Add adds the lines of an exposition.
func (l Lines) Add(r io.Reader) error {
	return Samples(r, func(line []byte) { l[string(line)]++ })
}

// Count returns the number of distinct lines that begin with prefix and contain all parts.
func (l Lines) Count(prefix string, parts ...string) int {
	n := 0
	for line := range l {
		if strings.HasPrefix(line, prefix) &&
			!slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(line, part) }) {
			n++
		}
	}
	return n
}

// Diff returns examples of the lines that only one side has or that l has more than once, or "" if there are none.
func (l Lines) Diff(want Lines) string {
	var all []string
	for line, times := range l {
		if times > 1 {
			all = append(all, "duplicate "+line)
		}
		if want[line] == 0 {
			all = append(all, "unexpected "+line)
		}
	}
	for line := range want {
		if l[line] == 0 {
			all = append(all, "missing "+line)
		}
	}
	return examples(all)
}

// Exposition is a parsed exposition. The order of lines does not matter.
type Exposition struct {
	// Samples maps each series, in the form name{label="value",...} with sorted labels, to its value as text.
	Samples map[string]string
	// Headers maps each family to its type and help, in the form "type help".
	Headers map[string]string

	families map[string]*dto.MetricFamily
}

// Parse parses an exposition. A series that occurs twice is an error.
func Parse(r io.Reader) (Exposition, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(r)
	if err != nil {
		return Exposition{}, fmt.Errorf("parsing the exposition: %w", err)
	}
	metrics := Exposition{Samples: map[string]string{}, Headers: map[string]string{}, families: families}
	for name, family := range families {
		metrics.Headers[name] = strings.ToLower(family.GetType().String()) + " " + family.GetHelp()
		for _, metric := range family.Metric {
			value := strconv.FormatFloat(number(metric), 'g', -1, 64)
			if err := metrics.add(series(name, metric), value); err != nil {
				return Exposition{}, err
			}
		}
	}
	return metrics, nil
}

// Union returns the union of expositions. It is an error if two of them have the same series, or different headers for
// a family. The result has Samples and Headers only: Sum, Value and Labels find nothing in it.
func Union(expositions ...Exposition) (Exposition, error) {
	all := Exposition{Samples: map[string]string{}, Headers: map[string]string{}}
	for _, metrics := range expositions {
		for series, value := range metrics.Samples {
			if err := all.add(series, value); err != nil {
				return Exposition{}, err
			}
		}
		for name, header := range metrics.Headers {
			if known, ok := all.Headers[name]; ok && known != header {
				return Exposition{}, fmt.Errorf("family %s has the header %q in one exposition and %q in another", name, known, header)
			}
		}
		maps.Copy(all.Headers, metrics.Headers)
	}
	return all, nil
}

func (e Exposition) add(series, value string) error {
	if known, ok := e.Samples[series]; ok {
		return fmt.Errorf("series occurs twice, with values %s and %s: %s", known, value, series)
	}
	e.Samples[series] = value
	return nil
}

// Sum returns the sum of the values of the samples of a family that have all given labels, and the number of these
// samples. The value of a histogram or summary is the number of its observations.
func (e Exposition) Sum(name string, labels map[string]string) (sum float64, samples int) {
	for _, metric := range e.families[name].GetMetric() {
		found := 0
		for _, pair := range metric.Label {
			if want, ok := labels[pair.GetName()]; ok && want == pair.GetValue() {
				found++
			}
		}
		if found == len(labels) {
			sum += number(metric)
			samples++
		}
	}
	return sum, samples
}

// Value returns the sum that [Exposition.Sum] returns. labels are names and values alternately.
func (e Exposition) Value(name string, labels ...string) float64 {
	match := map[string]string{}
	for i := 0; i+1 < len(labels); i += 2 {
		match[labels[i]] = labels[i+1]
	}
	sum, _ := e.Sum(name, match)
	return sum
}

// Labels calls yield with the family name and labels of every sample, until yield returns false.
func (e Exposition) Labels(yield func(family string, labels map[string]string) bool) {
	for name, family := range e.families {
		for _, metric := range family.Metric {
			labels := make(map[string]string, len(metric.Label))
			for _, pair := range metric.Label {
				labels[pair.GetName()] = pair.GetValue()
			}
			if !yield(name, labels) {
				return
			}
		}
	}
}

// Diff returns examples of the samples in which two expositions differ, or "" if there are none.
func Diff(want, got Exposition) string {
	var lines []string
	for series, value := range want.Samples {
		switch other, ok := got.Samples[series]; {
		case !ok:
			lines = append(lines, "missing    "+series+" "+value)
		case other != value:
			lines = append(lines, "different  "+series+" "+other+", want "+value)
		}
	}
	for series, value := range got.Samples {
		if _, ok := want.Samples[series]; !ok {
			lines = append(lines, "unexpected "+series+" "+value)
		}
	}
	return examples(lines)
}

// examples sorts lines and joins the first ones.
func examples(lines []string) string {
	const limit = 12
	slices.Sort(lines)
	if more := len(lines) - limit; more > 0 {
		lines = append(lines[:limit], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(lines, "\n")
}

func series(name string, metric *dto.Metric) string {
	labels := make([]string, 0, len(metric.Label))
	for _, pair := range metric.Label {
		labels = append(labels, pair.GetName()+"="+strconv.Quote(pair.GetValue()))
	}
	slices.Sort(labels)
	return name + "{" + strings.Join(labels, ",") + "}"
}

// number returns the value of a metric of any type. The value of a histogram or summary is the number of its
// observations.
func number(metric *dto.Metric) float64 {
	switch {
	case metric.Gauge != nil:
		return metric.Gauge.GetValue()
	case metric.Counter != nil:
		return metric.Counter.GetValue()
	case metric.Untyped != nil:
		return metric.Untyped.GetValue()
	case metric.Histogram != nil:
		return float64(metric.Histogram.GetSampleCount())
	case metric.Summary != nil:
		return float64(metric.Summary.GetSampleCount())
	}
	return math.NaN()
}

// Label returns the value of a label of a sample line, or "" if the line does not have the label. The value must not
// contain escaped characters.
func Label(line []byte, name string) string {
	for _, before := range []string{"{", ","} {
		if _, after, found := bytes.Cut(line, []byte(before+name+`="`)); found {
			value, _, _ := bytes.Cut(after, []byte(`"`))
			return string(value)
		}
	}
	return ""
}
