package fleet

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Page is a parsed exposition page: what a scrape means, whatever the order of its lines.
type Page struct {
	// Samples maps each series, written as name{label="value",...} with sorted labels, to its value as text.
	Samples map[string]string
	// Headers maps each family to its type and help, as "type help".
	Headers map[string]string

	families map[string]*dto.MetricFamily
}

// Parse reads a page in the text format, and refuses one in which a series stands twice.
func Parse(r io.Reader) (Page, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(r)
	if err != nil {
		return Page{}, fmt.Errorf("page does not parse: %w", err)
	}
	page := Page{Samples: map[string]string{}, Headers: map[string]string{}, families: families}
	for name, family := range families {
		page.Headers[name] = strings.ToLower(family.GetType().String()) + " " + family.GetHelp()
		for _, metric := range family.Metric {
			if err := page.add(series(name, metric), strconv.FormatFloat(number(metric), 'g', -1, 64)); err != nil {
				return Page{}, err
			}
		}
	}
	return page, nil
}

// Union is the pages taken together. It is an error if two of them have the same series, or headers that differ.
func Union(pages ...Page) (Page, error) {
	all := Page{Samples: map[string]string{}, Headers: map[string]string{}}
	for _, page := range pages {
		for series, value := range page.Samples {
			if err := all.add(series, value); err != nil {
				return Page{}, err
			}
		}
		for name, header := range page.Headers {
			if known, ok := all.Headers[name]; ok && known != header {
				return Page{}, fmt.Errorf("family %s: one page says %q, another %q", name, known, header)
			}
			all.Headers[name] = header
		}
	}
	return all, nil
}

func (p Page) add(series, value string) error {
	if known, ok := p.Samples[series]; ok {
		return fmt.Errorf("series twice, with values %s and %s: %s", known, value, series)
	}
	p.Samples[series] = value
	return nil
}

// Sum adds up the values of the family's samples that have all the given labels, and tells how many those were. A
// histogram or summary counts as the number of its observations.
func (p Page) Sum(name string, labels map[string]string) (sum float64, samples int) {
	for _, metric := range p.families[name].GetMetric() {
		if matches(metric, labels) {
			sum += number(metric)
			samples++
		}
	}
	return sum, samples
}

// Labels calls yield with the family name and labels of every sample, until that returns false.
func (p Page) Labels(yield func(family string, labels map[string]string) bool) {
	for name, family := range p.families {
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

// Diff tells how two pages differ, by at most a dozen examples, or nothing if their samples are the same.
func Diff(want, got Page) string {
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
	slices.Sort(lines)
	if more := len(lines) - 12; more > 0 {
		lines = append(lines[:12], fmt.Sprintf("and %d more", more))
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

func matches(metric *dto.Metric, labels map[string]string) bool {
	found := 0
	for _, pair := range metric.Label {
		if want, ok := labels[pair.GetName()]; ok && want == pair.GetValue() {
			found++
		}
	}
	return found == len(labels)
}

// number is the value of a metric of whichever type.
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
