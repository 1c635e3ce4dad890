package resources

import (
	"strconv"
	"strings"
)

// Type is the metric type of a family, in OpenMetrics' terms.
type Type uint8

// The types that families have. Info and StateSet exist in OpenMetrics only;
// the Prometheus text format shows them as gauges.
const (
	Gauge Type = iota
	Counter
	Info
	StateSet
)

// String returns the type's name as OpenMetrics writes it.
func (t Type) String() string {
	switch t {
	case Counter:
		return "counter"
	case Info:
		return "info"
	case StateSet:
		return "stateset"
	default:
		return "gauge"
	}
}

// Stability says how much a family may still change, in the terms that
// Kubernetes uses for its own metrics (KEP-1209).
type Stability uint8

// The stability levels.
const (
	Stable Stability = iota
	Alpha
)

// String returns the level in the upper case that Kubernetes' tools use.
func (s Stability) String() string {
	if s == Alpha {
		return "ALPHA"
	}
	return "STABLE"
}

// Family describes one metric family: what a reader of /metrics sees of it.
type Family struct {
	// Name is the name of the family's samples; counters end in _total.
	Name string
	// Help is a sentence that says what the number is, with its unit.
	Help string
	// Type is the type in OpenMetrics; see TextHeader for the text format.
	Type Type
	// Unit is what the number is measured in. It is for the reference: the page
	// tells it by name and Help.
	Unit Unit
	// Stability is the level promised for name, labels and meaning.
	Stability Stability
	// OptIn families are rendered only when they are asked for by name.
	OptIn bool
}

// TextHeader returns the HELP and TYPE lines of the Prometheus text format 0.0.4.
func (f Family) TextHeader() []byte {
	kind := f.Type
	if kind == Info || kind == StateSet {
		kind = Gauge
	}
	return header(f.Name, textHelp.Replace(f.Help), kind)
}

// OpenMetricsHeader returns the HELP and TYPE lines of OpenMetrics 1.0.
func (f Family) OpenMetricsHeader() []byte {
	return header(f.OpenMetricsName(), openMetricsHelp.Replace(f.Help), f.Type)
}

// OpenMetricsName returns the family's name in OpenMetrics, where that of a
// counter or an info lacks the suffix of its samples.
func (f Family) OpenMetricsName() string {
	switch f.Type {
	case Counter:
		return trimSuffix(f.Name, "_total")
	case Info:
		return trimSuffix(f.Name, "_info")
	default:
		return f.Name
	}
}

// The formats differ in what they escape in HELP: a parser of the text format
// may refuse an escaped quote.
var (
	textHelp        = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	openMetricsHelp = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
)

func trimSuffix(name, suffix string) string {
	if n := len(name) - len(suffix); n > 0 && name[n:] == suffix {
		return name[:n]
	}
	return name
}

func header(name, help string, kind Type) []byte {
	b := append([]byte("# HELP "), name...)
	b = append(b, ' ')
	b = append(b, help...)
	b = append(b, "\n# TYPE "...)
	b = append(b, name...)
	b = append(b, ' ')
	b = append(b, kind.String()...)
	return append(b, '\n')
}

// family is a Family together with the function that writes its samples.
type family[T any] struct {
	Family
	write func(o *T, w *SampleWriter)
	// bind, when set, makes write from what the user selected; a nil result
	// leaves the family out. It serves the families whose labels depend on flags.
	bind func(resource string, f Filter) func(o *T, w *SampleWriter)
	// reads names the fields that are kept for this family beyond its kind's.
	reads []string
}

// gauge declares a family whose value may go up and down.
func gauge[T any](level Stability, name, help string, write func(o *T, w *SampleWriter)) family[T] {
	return family[T]{Family: Family{Name: name, Help: help, Type: Gauge, Unit: unitOfName(name), Stability: level}, write: write}
}

// counter declares a family whose value only grows; its name ends in _total.
func counter[T any](level Stability, name, help string, write func(o *T, w *SampleWriter)) family[T] {
	return family[T]{Family: Family{Name: name, Help: help, Type: Counter, Unit: unitOfName(name), Stability: level}, write: write}
}

// optIn marks a family that is rendered only when it is asked for by name.
func optIn[T any](f family[T]) family[T] {
	f.OptIn = true
	return f
}

// reading adds a field that is worth keeping only for this family.
func withField[T any](path string, f family[T]) family[T] {
	f.reads = append(f.reads, path)
	return f
}

// appendEscaped appends s as the text format wants label values: backslash,
// double quote and line feed escaped. OpenMetrics reads it alike.
func appendEscaped(dst []byte, s string) []byte {
	from := 0
	for i := 0; i < len(s); i++ {
		var with string
		switch s[i] {
		case '\\':
			with = `\\`
		case '"':
			with = `\"`
		case '\n':
			with = `\n`
		default:
			continue
		}
		dst = append(dst, s[from:i]...)
		dst = append(dst, with...)
		from = i + 1
	}
	return append(dst, s[from:]...)
}

// appendValue appends v in the shortest form that reads back as v; whole
// numbers, which nearly all are, without exponent.
func appendValue(dst []byte, v float64) []byte {
	if n := int64(v); float64(n) == v && n > -1e15 && n < 1e15 {
		return strconv.AppendInt(dst, n, 10)
	}
	switch {
	case v != v:
		return append(dst, "NaN"...)
	case v > maxFloat:
		return append(dst, "+Inf"...)
	case v < -maxFloat:
		return append(dst, "-Inf"...)
	}
	return strconv.AppendFloat(dst, v, 'g', -1, 64)
}
