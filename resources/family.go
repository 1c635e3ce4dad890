package resources

import (
	"cmp"
	"fmt"
	"strings"
)

// Type is the metric type of a family, in OpenMetrics' terms.
type Type uint8

// The types that families have. Info and StateSet exist in OpenMetrics only; the Prometheus text
// format shows them as gauges.
const (
	Gauge Type = iota
	Counter
	Info
	StateSet
)

// String returns the type's name as OpenMetrics writes it.
func (t Type) String() string { return [...]string{"gauge", "counter", "info", "stateset"}[t] }

// Stability states how much a family may still change, in the terms that Kubernetes uses for its own metrics
// (KEP-1209).
type Stability uint8

// The stability levels. Families of custom resources, which users declare, promise none.
const (
	NoStability Stability = iota
	Alpha
	Stable
)

// String returns the level in the upper case that Kubernetes' tools use, empty for NoStability.
func (s Stability) String() string { return [...]string{"", "ALPHA", "STABLE"}[s] }

// Family describes one metric family as it appears in the exposition.
type Family struct {
	// Name is the name of the family's samples; counters end in _total.
	Name string
	// Help is a sentence that states what the number is, with its unit. In the exposition, the stability level precedes
	// it.
	Help string
	// Type is the type in OpenMetrics; see TextHeader for the text format.
	Type Type
	// Unit is the unit of the number. It is only for the metrics reference: in the exposition, Name and Help contain
	// it.
	Unit Unit
	// Stability is the level promised for name, labels and meaning.
	Stability Stability
	// OptIn is set for families that are rendered only if the user names them.
	OptIn bool
}

// TextHeader returns the HELP and TYPE lines of the Prometheus text format 0.0.4.
func (f Family) TextHeader() []byte {
	kind := f.Type
	if kind == Info || kind == StateSet {
		kind = Gauge
	}
	return header(f.Name, textHelp.Replace(f.help()), kind)
}

// OpenMetricsHeader returns the HELP and TYPE lines of OpenMetrics 1.0.
func (f Family) OpenMetricsHeader() []byte {
	return header(f.OpenMetricsName(), quoted.Replace(f.help()), f.Type)
}

// help returns the text of the HELP line: the stability level in brackets, which tools look for, and
// the sentence.
func (f Family) help() string {
	if f.Stability == NoStability {
		return f.Help
	}
	return "[" + f.Stability.String() + "] " + f.Help
}

// OpenMetricsName returns the family's name in OpenMetrics. For a counter or an info, it lacks the suffix of the
// samples.
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

// textHelp escapes HELP in the text format, whose parsers may reject an escaped quote; see quoted.
var textHelp = strings.NewReplacer(`\`, `\\`, "\n", `\n`)

// trimSuffix returns a name without the suffix, unless the name consists of the suffix.
func trimSuffix(name, suffix string) string { return cmp.Or(strings.TrimSuffix(name, suffix), name) }

func header(name, help string, kind Type) []byte {
	return fmt.Appendf(nil, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

// family is a Family with the function that writes its samples.
type family[T any] struct {
	Family
	write func(o *T, w *SampleWriter)
	// bind, if set, returns the write function for a filter, or nil to leave the family out. It is for families whose
	// labels depend on flags.
	bind func(resource string, f Filter) func(o *T, w *SampleWriter)
	// reads names the fields that this family reads in addition to those of its kind.
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

// optIn marks a family that is rendered only if the user names it.
func optIn[T any](f family[T]) family[T] {
	f.OptIn = true
	return f
}

// withFields adds the fields that only this family reads, as JSON paths separated by white space.
func withFields[T any](paths string, f family[T]) family[T] {
	f.reads = append(f.reads, strings.Fields(paths)...)
	return f
}
