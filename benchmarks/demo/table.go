package demo

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/statefleet/statefleet/benchmarks/installation"
	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/resources"
)

// column is a column of the table, which has a row for each shard.
type column struct {
	name, meaning string
	decimals      int
	value         func(row) float64
}

func (c column) width() int { return max(len(c.name), 6) }

func columns() []column {
	return []column{
		{"objects", "objects that the shard serves", 0, func(r row) float64 { return r.objects }},
		{"series", "series in a scrape of the shard", 0, func(r row) float64 { return r.series }},
		{"text MB", "text of these objects, uncompressed", 1, func(r row) float64 { return r.text }},
		{"gzip MB", "the same text in a scrape, compressed", 2, func(r row) float64 { return r.body }},
		{"held MB", "memory for the text: compressed at rest, uncompressed where it has just changed", 1,
			func(r row) float64 { return r.held }},
		{"process MB", "memory of the whole process", 0, func(r row) float64 { return r.resident }},
		{"scrape ms", "duration of a gzip scrape; for the fleet, that of the slowest shard", 1,
			func(r row) float64 { return r.scrape }},
		{"decoded", "own objects and changes that the shard has decoded since its start", 0,
			func(r row) float64 { return r.decoded }},
		{"skipped", "objects and changes of other shards that it dropped; this API server sends few", 0,
			func(r row) float64 { return r.skipped }},
	}
}

// printLegend explains the columns of the table.
func printLegend(out io.Writer) {
	printf(out, "\nColumns")
	printf(out, "  %-11s  %s", "ready", "whether a scrape of the shard would succeed")
	for _, c := range columns() {
		printf(out, "  %-11s  %s", c.name, c.meaning)
	}
	printf(out, "The row fleet has the sums. The row cluster has the objects of the exported kinds in the API server.\n"+
		"It is read a moment later than the shards, so the two may differ by a few jobs and pods.")
}

// inventory describes how many objects a cluster has, and which of them are not exported.
func inventory(cluster *simulator.Cluster) string {
	others := map[string]int{}
	for resource, mix := range cluster.Mix() {
		others[resource] = mix.Objects
	}
	for _, k := range resources.All() {
		if k.Default {
			delete(others, k.Name())
		}
	}
	names := slices.SortedFunc(maps.Keys(others), func(a, b string) int {
		return cmp.Or(cmp.Compare(others[b], others[a]), cmp.Compare(a, b))
	})
	var rest []string
	for _, name := range names {
		rest = append(rest, fmt.Sprintf("%d %s", others[name], name))
	}
	text := fmt.Sprintf("%d objects.\n%d are of kinds that are exported by default",
		cluster.Len(), installation.Exported(cluster))
	if rest != nil {
		text += "; the others are\n" + strings.Join(rest, ", ")
	}
	return text + "."
}

// printTable prints a row for each shard, the sums, and the number of objects of exported kinds in the cluster.
func printTable(out io.Writer, at time.Time, rows []row, exported int) {
	head := at.Format(time.TimeOnly) + "  ready"
	for _, c := range columns() {
		head += fmt.Sprintf("  %*s", c.width(), c.name)
	}
	printf(out, "\n%s", head)
	line := func(name string, r row) {
		text := fmt.Sprintf("%8s  %-5v", name, r.ready)
		for _, c := range columns() {
			text += fmt.Sprintf("  %*.*f", c.width(), c.decimals, c.value(r))
		}
		printf(out, "%s", text)
	}
	sum := row{ready: true}
	for i, r := range rows {
		line(fmt.Sprint("shard ", i), r)
		sum = row{
			ready: sum.ready && r.ready, scrape: max(sum.scrape, r.scrape), objects: sum.objects + r.objects,
			series: sum.series + r.series, text: sum.text + r.text, held: sum.held + r.held, body: sum.body + r.body,
			resident: sum.resident + r.resident, decoded: sum.decoded + r.decoded, skipped: sum.skipped + r.skipped,
		}
	}
	line("fleet", sum)
	printf(out, "%8s  %-5s  %*d", "cluster", "", columns()[0].width(), exported)
}
