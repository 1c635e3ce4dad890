package resources

import "strings"

// Unit is what the numbers of a family are measured in. The zero Unit is that of plain numbers:
// counts, states that are 1 or 0, and samples that are always 1.
type Unit string

// The units that families have. Those that differ from sample to sample are made by unitByLabel.
const (
	Seconds     Unit = "seconds"
	UnixSeconds Unit = "unix seconds" // since 1970, UTC
	Bytes       Unit = "bytes"
	Cores       Unit = "cores"
	Ratio       Unit = "ratio"
)

// unitByLabel is the unit of a family whose samples say by a label what they are measured in.
func unitByLabel(label string) Unit { return Unit("by `" + label + "`") }

// unitOfName returns the unit that a family's name ends in, as OpenMetrics wants it, or the one
// that Kubernetes' names for times imply. Other units are declared where the family is; see
// withUnit.
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

// withUnit declares the unit of a family whose name does not tell it.
func withUnit[T any](in Unit, f family[T]) family[T] {
	f.Unit = in
	return f
}
