package resources

import "strings"

// Unit is the unit of a family's values. The zero value stands for plain numbers: counts, states that are 1 or 0, and
// samples that are always 1.
type Unit string

// The units of families. unitByLabel returns those that differ from sample to sample.
const (
	Seconds     Unit = "seconds"
	UnixSeconds Unit = "unix seconds" // since 1970, UTC
	Bytes       Unit = "bytes"
	Cores       Unit = "cores"
	Ratio       Unit = "ratio"
)

// unitByLabel returns the unit of a family whose samples name their unit in a label.
func unitByLabel(label string) Unit { return Unit("by `" + label + "`") }

// unitOfName returns the unit at the end of a family's name, as OpenMetrics requires it, or the one that Kubernetes'
// names for times imply. withUnit declares other units.
func unitOfName(name string) Unit {
	name = trimSuffix(name, "_total")
	for _, u := range []Unit{Seconds, Bytes, Cores, Ratio} {
		if strings.HasSuffix(name, "_"+string(u)) {
			return u
		}
	}
	for _, suffix := range []string{"_created", "_time", "_timestamp"} {
		if strings.HasSuffix(name, suffix) {
			return UnixSeconds
		}
	}
	return ""
}

// withUnit declares the unit of a family whose name does not imply it.
func withUnit[T any](in Unit, f family[T]) family[T] {
	f.Unit = in
	return f
}
