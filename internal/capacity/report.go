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

// Report prints an estimate. Errors are those of the writer.
type Report struct {
	Costs  Costs
	Load   Load
	Limits Limits
}

// Write writes the kinds, what a replica takes in fleets of several sizes, and
// what was assumed. The returned fleet is the smallest that fits; ok is false
// when none does.
func (r Report) Write(w io.Writer) (fit Replica, ok bool, err error) {
	fit, ok = r.Costs.Fit(r.Load, r.Limits)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	r.kinds(t)
	out(t, "\n")
	r.fleets(t, fit)
	if err := t.Flush(); err != nil {
		return fit, ok, err
	}
	_, err = fmt.Fprintf(w, "\nAssumptions\n%s", r.assumptions(fit))
	return fit, ok, err
}

// out writes to a table, which keeps what goes wrong until it is flushed.
func out(t *tabwriter.Writer, format string, args ...any) { _, _ = fmt.Fprintf(t, format, args...) }

// shownPart is the least part of all text by which a kind gets a row of its own.
const shownPart = 0.005

func (r Report) kinds(t *tabwriter.Writer) {
	all := r.Load.Total()
	kinds := slices.Clone(r.Load.Kinds)
	slices.SortFunc(kinds, func(a, b Kind) int {
		return cmp.Or(cmp.Compare(float64(b.Objects)*b.Size.Text, float64(a.Objects)*a.Size.Text), cmp.Compare(a.Name, b.Name))
	})
	out(t, "%s\tOBJECTS\tSERIES\tTEXT\tGZIP\tEACH: SERIES\tTEXT\t\n", left("KIND"))
	var others Load
	for _, k := range kinds {
		switch n := float64(k.Objects); {
		case k.Problem != "":
			out(t, "%s\t%s\t\t\t\t\t\t\n", left(k.Name), k.Problem)
		case k.Objects == 0:
		case n*k.Size.Text < shownPart*all.Text:
			others.Kinds = append(others.Kinds, k)
		default:
			out(t, "%s\t%s\t%s\t%s\t%s\t%.1f\t%s\t\n", left(k.Name), count(n), count(n*k.Size.Series), Bytes(n*k.Size.Text), Bytes(n*k.Size.Gzip),
				k.Size.Series, Bytes(k.Size.Text))
		}
	}
	if n := len(others.Kinds); n > 0 {
		sum(t, fmt.Sprintf("%d others", n), others.Total())
	}
	sum(t, "all", all)
}

func sum(t *tabwriter.Writer, name string, of Total) {
	out(t, "%s\t%s\t%s\t%s\t%s\t\t\t\n", left(name), count(float64(of.Objects)), count(of.Series), Bytes(of.Text), Bytes(of.Gzip))
}

// left keeps a name on the left in a table that aligns to the right.
func left(name string) string { return fmt.Sprintf("%-33s", name) }

func (r Report) fleets(t *tabwriter.Writer, fit Replica) {
	out(t, "REPLICAS\tEACH: SERIES\tTEXT\tGZIP\tMEMORY\tCPU\tPER 1,000 EVENTS/S\tRECEIVED/S\tSCRAPE: CPU\tTIME\tSTART: CPU\t\n")
	for _, n := range around(fit.Replicas, r.Load.Standby) {
		one := r.Costs.Replica(r.Load, n)
		note := r.Limits.Exceeds(one)
		if note == "" && n == fit.Replicas {
			note = "recommended"
		}
		out(t, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t  %s\n", n, count(one.Series), Bytes(one.Text), Bytes(one.Gzip), Bytes(one.Memory),
			cores(one.CPU), cores(one.EventCPU), Bytes(one.EventBytes), millis(one.ScrapeCPU.Seconds()), millis(one.ScrapeTime.Seconds()),
			millis(one.StartCPU.Seconds()), note)
	}
}

// around are the sizes of fleets to compare with one of n.
func around(n int, standby bool) []int {
	least := 1
	if standby {
		least = 2
	}
	all := []int{least, max(n/2, least), max(n-1, least), n, min(2*n, MostReplicas)}
	slices.Sort(all)
	return slices.Compact(all)
}

func (r Report) assumptions(fit Replica) string {
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, "- "+fmt.Sprintf(format, args...)+"\n") }
	r.assumeObjects(add)
	l, a := r.Load, r.Costs
	if l.ServerSharded {
		add("%s events a second in the whole cluster. The API server sends each replica %.2g %% of them, what it asks for.", count(l.Events), 100*l.received(fit.Replicas, 0))
	} else {
		add("%s events a second in the whole cluster. A replica reads all and drops what it does not own; API servers that shard spare it that (--server-sharding).", count(l.Events))
	}
	add("A scrape with gzip every %s; its time is CPU, %s/s of network and inflating %s/s where it is read.", l.Interval, Bytes(a.Scrape.Transfer), Bytes(a.Scrape.Inflating))
	add("Memory is what stays resident; %.0f %% of a limit is for it. A scrape may take %.0f %% of its timeout.", 100*memoryPart, 100*timeoutPart)
	if l.Standby {
		add("Each replica holds two shards (--shard.standby).")
	}
	if l.Check > 0 {
		add("Consistency checks every %s receive %s/s on each replica (metadata of objects).", l.Check, Bytes(fit.CheckBytes))
	}
	add("Custom resources are not counted. CPU is of the machine that docs/capacity.md names; memory and CPU were within 30 %% of what was measured there.")
	return strings.Join(lines, "")
}

func (r Report) assumeObjects(add func(string, ...any)) {
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
			add("Pods with %.1f containers, init containers included, and %.0f series.", k.Containers, k.Size.Series)
		default:
			add("Pods with %.0f series.", k.Size.Series)
		}
	}
	if sampled > 0 {
		add("Sizes are those of %s objects of this cluster, the first of each kind by namespace and name, with the families, labels and annotations that the flags choose.", count(float64(sampled)))
	} else {
		add("Sizes are those of a simulated cluster, with the families that are on by default and no labels or annotations. Reading your cluster tells yours.")
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

// Bytes writes a number of bytes for people, with three digits and a binary unit.
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
