package capacity

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// report is an estimate.
type report struct {
	costs    Costs
	load     Load
	limits   Limits
	smallest Replica // of the smallest fleet within the limits, or of the largest that was considered
	fits     bool    // there is a fleet within the limits
}

func newReport(c Costs, l Load, limits Limits) report {
	l.Kinds = slices.SortedFunc(slices.Values(l.Kinds), func(a, b Kind) int { return cmp.Compare(a.Name, b.Name) })
	r := report{costs: c, load: l, limits: limits}
	r.smallest, r.fits = c.SmallestFleet(l, limits)
	return r
}

// writeText writes the kinds, the resources of a replica in fleets of several sizes, the
// assumptions, and how to deploy the smallest fleet within the limits.
func (r report) writeText(w io.Writer) error {
	var text bytes.Buffer
	text.WriteString("Cluster\n\n")
	r.writeKinds(&text)
	if r.fits {
		text.WriteString("\n" + wrap(r.whileOneRestarts(), ""))
	}
	text.WriteString("\nEach replica, by the number of replicas\n\n")
	r.writeFleets(&text)
	text.WriteString("\nAssumptions\n" + r.assumptions())
	if r.fits {
		r.writeDeployment(&text)
	}
	_, err := w.Write(text.Bytes())
	return err
}

// whileOneRestarts describes which series are missing while one replica restarts.
func (r report) whileOneRestarts() string {
	s := r.smallest
	start := fmt.Sprintf("A start takes %.1f s of CPU and receives %s.", s.StartCPU.Seconds(), Bytes(s.StartBytes))
	switch {
	case s.MissingShare == 0:
		return "No series is missing while one replica restarts: the next one serves its shard (--shard.standby). " +
			start
	case s.Replicas == 1:
		return "One replica stays within the limits, and nothing is served while it restarts: its scrapes fail, and " +
			"all series are missing. " + start + " With --shard.standby and at least two replicas, none is missing."
	}
	return fmt.Sprintf("While one of %d replicas restarts, its scrapes fail, and %.2g %% of all series are missing. %s "+
		"With --shard.standby, none is missing.", s.Replicas, 100*s.MissingShare, start)
}

// newTable returns a table whose columns align to the right. Writing to a buffer never fails.
func newTable(b *bytes.Buffer) *tabwriter.Writer {
	return tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
}

func printf(t *tabwriter.Writer, format string, args ...any) { _, _ = fmt.Fprintf(t, format, args...) }

// minRowShare is the smallest share of all text for which a kind gets its own row.
const minRowShare = 0.005

func (r report) writeKinds(b *bytes.Buffer) {
	all := r.load.Total()
	width := 0
	var rows []Kind
	var others Load
	for _, k := range r.load.Kinds {
		switch n := float64(k.Objects); {
		case k.Problem == "" && n == 0:
		case k.Problem == "" && n*k.Size.Text < minRowShare*all.Text:
			others.Kinds = append(others.Kinds, k)
		default:
			rows = append(rows, k)
			width = max(width, len(k.Name))
		}
	}
	slices.SortStableFunc(rows, func(a, b Kind) int {
		return cmp.Compare(float64(b.Objects)*b.Size.Text, float64(a.Objects)*a.Size.Text)
	})
	t := newTable(b)
	name := func(s string) string { return fmt.Sprintf("%-*s", width, s) } // names align to the left
	total := func(s string, all Total) {
		printf(t, "%s\t%s\t%s\t%s\t%s\t\n",
			name(s), count(float64(all.Objects)), count(all.Series), Bytes(all.Text), Bytes(all.Gzip))
	}
	printf(t, "%s\tOBJECTS\tSERIES\tTEXT\tGZIP\tSERIES/OBJECT\tTEXT/OBJECT\t\n", name("KIND"))
	for _, k := range rows {
		if k.Problem != "" {
			printf(t, "%s\t%s\t-\t-\t-\t-\t-\t\n", name(k.Name), k.Problem)
			continue
		}
		n := float64(k.Objects)
		printf(t, "%s\t%s\t%s\t%s\t%s\t%.1f\t%s\t\n", name(k.Name), count(n), count(n*k.Size.Series),
			Bytes(n*k.Size.Text), Bytes(n*k.Size.Gzip), k.Size.Series, Bytes(k.Size.Text))
	}
	if n := len(others.Kinds); n > 0 {
		total(fmt.Sprintf("%d others", n), others.Total())
	}
	total("all", all)
	_ = t.Flush()
}

func (r report) writeFleets(b *bytes.Buffer) {
	t := newTable(b)
	printf(t, "REPLICAS\tSERIES\tSCRAPE TEXT\tSCRAPE GZIP\tSCRAPE TIME\tMEMORY\tCPU\t  EXCEEDS\n")
	for _, n := range r.load.fleetSizes(r.smallest.Replicas) {
		one := r.costs.Replica(r.load, n)
		exceeds := usableShare(r.limits.Exceeds(one))
		switch {
		case exceeds != "":
		case n == r.smallest.Replicas:
			exceeds = "nothing; recommended"
		default:
			exceeds = "nothing"
		}
		printf(t, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t  %s\n", n, count(one.Series), Bytes(one.Text), Bytes(one.Gzip),
			millis(one.ScrapeTime.Seconds()), Bytes(one.Memory), cores(one.CPU), exceeds)
	}
	_ = t.Flush()
}

// fleetSizes returns the sizes to compare with a fleet of n.
func (l Load) fleetSizes(n int) []int {
	least := l.minReplicas()
	all := []int{least, max(n/2, least), max(n-1, least), n, min(2*n, MaxReplicas)}
	slices.Sort(all)
	return slices.Compact(all)
}

func (r report) assumptions() string {
	var b strings.Builder
	add := func(format string, args ...any) { b.WriteString(wrap("- "+fmt.Sprintf(format, args...), "  ")) }
	r.objectAssumptions(add)
	l, s, one := r.load, r.costs.Scrape, r.smallest
	if l.ServerSharded {
		add("%s events per second in the whole cluster. The API server sends each replica %.2g %% of them, %s/s, "+
			"according to its selector.", count(l.Events), 100*l.received(one.Replicas, 0), Bytes(one.EventBytes))
	} else {
		add("%s events per second in the whole cluster. Each replica receives all of them, %s/s, and drops those of "+
			"other shards; not with API servers that shard (--server-sharding).", count(l.Events), Bytes(one.EventBytes))
	}
	add("1,000 more events per second would take %s of CPU of each replica in a fleet of %d.",
		cores(one.EventCPU), one.Replicas)
	add("A gzip scrape every %s. Its time is CPU, network at %s/s, and decompression by the client at %s/s.",
		l.Interval, Bytes(s.Transfer), Bytes(s.Decompress))
	add("Memory is resident memory, up to %s. A scrape takes up to %s.",
		usableShare(memoryFlag), usableShare(timeoutFlag))
	if l.Standby {
		add("Each replica holds two shards (--shard.standby).")
	}
	if l.Check > 0 {
		add("Consistency checks every %s receive %s/s on each replica (metadata of objects).",
			l.Check, Bytes(one.CheckBytes))
	}
	add("Custom resources are not counted. CPU is in thousandths of a core (m) of the machine in docs/capacity.md; " +
		"memory and CPU are within 25 %% of the measurements on that machine.")
	return b.String()
}

func (r report) objectAssumptions(add func(string, ...any)) {
	sampled := 0
	for _, k := range r.load.Kinds {
		sampled += k.Sampled
	}
	for _, k := range r.load.Kinds {
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
		add("Sizes are those of %s objects of this cluster: the first of each kind by namespace and name, with the "+
			"families, labels and annotations that the flags select.", count(float64(sampled)))
	} else {
		add("Sizes are those of a simulated cluster, with the default families and without labels and annotations. " +
			"For your own sizes, let estimate read your cluster.")
	}
}
