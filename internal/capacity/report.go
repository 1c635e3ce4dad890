package capacity

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
)

// Report prints an estimate.
type Report struct {
	Costs  Costs
	Load   Load
	Limits Limits
}

// Write writes the kinds, the resources of a replica in fleets of several sizes, and the
// assumptions. It returns the smallest fleet within the limits; ok is false if there is none. The
// error is that of w.
func (r Report) Write(w io.Writer) (smallest Replica, ok bool, err error) {
	smallest, ok = r.Costs.SmallestFleet(r.Load, r.Limits)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	r.writeKinds(t)
	printf(t, "\n")
	r.writeFleets(t, smallest)
	if err := t.Flush(); err != nil {
		return smallest, ok, err
	}
	_, err = fmt.Fprintf(w, "\nAssumptions\n%s", r.assumptions(smallest))
	return smallest, ok, err
}

// printf writes to a table. Errors are returned by its Flush.
func printf(t *tabwriter.Writer, format string, args ...any) { _, _ = fmt.Fprintf(t, format, args...) }

// minRowShare is the smallest share of all text for which a kind gets its own row.
const minRowShare = 0.005

func (r Report) writeKinds(t *tabwriter.Writer) {
	all := r.Load.Total()
	kinds := slices.Clone(r.Load.Kinds)
	slices.SortFunc(kinds, func(a, b Kind) int {
		return cmp.Or(cmp.Compare(float64(b.Objects)*b.Size.Text, float64(a.Objects)*a.Size.Text), cmp.Compare(a.Name, b.Name))
	})
	printf(t, "%s\tOBJECTS\tSERIES\tTEXT\tGZIP\tEACH: SERIES\tTEXT\t\n", padLeft("KIND"))
	var others Load
	for _, k := range kinds {
		switch n := float64(k.Objects); {
		case k.Problem != "":
			printf(t, "%s\t%s\t\t\t\t\t\t\n", padLeft(k.Name), k.Problem)
		case k.Objects == 0:
		case n*k.Size.Text < minRowShare*all.Text:
			others.Kinds = append(others.Kinds, k)
		default:
			printf(t, "%s\t%s\t%s\t%s\t%s\t%.1f\t%s\t\n", padLeft(k.Name), count(n), count(n*k.Size.Series),
				Bytes(n*k.Size.Text), Bytes(n*k.Size.Gzip), k.Size.Series, Bytes(k.Size.Text))
		}
	}
	if n := len(others.Kinds); n > 0 {
		writeTotal(t, fmt.Sprintf("%d others", n), others.Total())
	}
	writeTotal(t, "all", all)
}

func writeTotal(t *tabwriter.Writer, name string, total Total) {
	printf(t, "%s\t%s\t%s\t%s\t%s\t\t\t\n", padLeft(name), count(float64(total.Objects)), count(total.Series), Bytes(total.Text), Bytes(total.Gzip))
}

// padLeft aligns a name to the left, in a table that aligns to the right.
func padLeft(name string) string { return fmt.Sprintf("%-33s", name) }

func (r Report) writeFleets(t *tabwriter.Writer, smallest Replica) {
	printf(t, "REPLICAS\tEACH: SERIES\tTEXT\tGZIP\tMEMORY\tCPU\tPER 1,000 EVENTS/S\tRECEIVED/S\tSCRAPE: CPU\tTIME\tSTART: CPU\t\n")
	for _, n := range r.Load.fleetSizes(smallest.Replicas) {
		one := r.Costs.Replica(r.Load, n)
		note := r.Limits.Exceeds(one)
		if note == "" && n == smallest.Replicas {
			note = "recommended"
		}
		printf(t, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t  %s\n", n, count(one.Series), Bytes(one.Text), Bytes(one.Gzip), Bytes(one.Memory),
			cores(one.CPU), cores(one.EventCPU), Bytes(one.EventBytes), millis(one.ScrapeCPU.Seconds()), millis(one.ScrapeTime.Seconds()),
			millis(one.StartCPU.Seconds()), note)
	}
}

// fleetSizes returns the sizes to compare with a fleet of n.
func (l Load) fleetSizes(n int) []int {
	least := l.minReplicas()
	all := []int{least, max(n/2, least), max(n-1, least), n, min(2*n, MaxReplicas)}
	slices.Sort(all)
	return slices.Compact(all)
}

func (r Report) assumptions(smallest Replica) string {
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, "- "+fmt.Sprintf(format, args...)+"\n") }
	r.objectAssumptions(add)
	l, s := r.Load, r.Costs.Scrape
	if l.ServerSharded {
		add("%s events per second in the whole cluster. The API server sends each replica %.2g %% of them, according to its selector.",
			count(l.Events), 100*l.received(smallest.Replicas, 0))
	} else {
		add("%s events per second in the whole cluster. Each replica receives all of them and drops those of other shards; not with API servers that shard (--server-sharding).",
			count(l.Events))
	}
	add("A gzip scrape every %s. Its time is CPU, network at %s/s, and decompression by the client at %s/s.",
		l.Interval, Bytes(s.Transfer), Bytes(s.Decompress))
	add("Memory is resident memory, up to %.0f %% of a limit. A scrape takes up to %.0f %% of its timeout.", 100*memoryShare, 100*timeoutShare)
	if l.Standby {
		add("Each replica holds two shards (--shard.standby).")
	}
	if l.Check > 0 {
		add("Consistency checks every %s receive %s/s on each replica (metadata of objects).", l.Check, Bytes(smallest.CheckBytes))
	}
	add("Custom resources are not counted. CPU is that of the machine in docs/capacity.md; memory and CPU are within 30 %% of the measurements there.")
	return strings.Join(lines, "")
}

func (r Report) objectAssumptions(add func(string, ...any)) {
	sampled := 0
	for _, k := range r.Load.Kinds {
		sampled += k.Sampled
	}
	for _, k := range r.Load.Kinds {
		if k.Name != podsKind || k.Objects == 0 {
			continue
		}
		switch {
		case k.Containers > 0:
			add("Pods with %.1f containers, including init containers, and %.0f series.", k.Containers, k.Size.Series)
		default:
			add("Pods with %.0f series.", k.Size.Series)
		}
	}
	if sampled > 0 {
		add("Sizes are those of %s objects of this cluster: the first of each kind by namespace and name, with the families, labels and annotations that the flags select.",
			count(float64(sampled)))
	} else {
		add("Sizes are those of a simulated cluster, with the default families and without labels and annotations. For your own sizes, let estimate read your cluster.")
	}
}

func count(n float64) string {
	switch {
	case n >= 9.95e6:
		return fmt.Sprintf("%.0fM", n/1e6)
	case n >= 1e6:
		return fmt.Sprintf("%.1fM", n/1e6)
	case n >= 1e4:
		return fmt.Sprintf("%.0fk", n/1e3)
	}
	return fmt.Sprintf("%.0f", n)
}

// Bytes formats a number of bytes with up to three digits and a binary unit.
func Bytes(n float64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	i := 0
	for n >= 999.5 && i < len(units)-1 {
		n /= 1024
		i++
	}
	if n < 9.95 && i > 0 {
		return fmt.Sprintf("%.1f %s", n, units[i])
	}
	return fmt.Sprintf("%.0f %s", n, units[i])
}

func cores(c float64) string { return fmt.Sprintf("%.0fm", math.Ceil(1000*c)) }

func millis(seconds float64) string { return fmt.Sprintf("%.0f ms", math.Ceil(1000*seconds)) }
