package demo

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/benchmarks/simulator/generator"
)

// Readers compare the objects of the cluster with those that the fleet exports, so the text must account for the rest.
func TestInventoryAccountsForAllObjects(t *testing.T) {
	cluster, err := generator.NewCluster(200, simulator.Options{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	text := inventory(cluster)
	var numbers []int
	for _, digits := range regexp.MustCompile(`\b\d+\b`).FindAllString(text, -1) {
		n, err := strconv.Atoi(digits)
		if err != nil {
			t.Fatal(err)
		}
		numbers = append(numbers, n)
	}
	if len(numbers) < 3 || numbers[0] != cluster.Len() || !strings.Contains(text, "serviceaccounts") {
		t.Fatalf("got %q, want a text that begins with %d and names the serviceaccounts", text, cluster.Len())
	}
	sum := 0
	for _, n := range numbers[1:] {
		sum += n
	}
	if sum != numbers[0] {
		t.Errorf("got a sum of %d objects, want %d: %q", sum, numbers[0], text)
	}
}

func TestInventoryOfExportedKindsOnly(t *testing.T) {
	const want = "0 objects.\n0 are of kinds that are exported by default."
	if got := inventory(simulator.New(simulator.Options{})); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestEveryColumnIsExplained(t *testing.T) {
	var legend, text bytes.Buffer
	printLegend(&legend)
	printTable(&text, time.Time{}, []row{{ready: true, objects: 3, scrape: 2}, {ready: true, objects: 4, scrape: 1}}, 8)
	lines := strings.Split(strings.TrimSpace(text.String()), "\n")
	if len(lines) != 5 {
		t.Fatalf("got %d lines, want a header, two shards, the fleet and the cluster:\n%s", len(lines), text.String())
	}
	names := regexp.MustCompile(` {2,}`).Split(lines[0], -1)[1:]
	if len(names) != 1+len(columns()) {
		t.Errorf("got %d columns, want %d: %q", len(names), 1+len(columns()), names)
	}
	for _, name := range names {
		if !regexp.MustCompile(`(?m)^  ` + name + ` {2,}\S`).MatchString(legend.String()) {
			t.Errorf("legend does not explain %q:\n%s", name, legend.String())
		}
	}
	if fleet := strings.Fields(lines[3]); fleet[2] != "7" || fleet[8] != "2.0" {
		t.Errorf("got the row %q of the fleet, want 7 objects and a scrape of 2.0 ms", fleet)
	}
	below := strings.Index(lines[4], "8") == strings.Index(lines[3], "7")
	if cluster := strings.Fields(lines[4]); len(cluster) != 2 || cluster[1] != "8" || !below {
		t.Errorf("got a row of the cluster without 8 objects below those of the fleet:\n%s", text.String())
	}
	for line := range strings.Lines(legend.String() + text.String()) {
		if len(line) > 101 {
			t.Errorf("got a line of %d bytes, want at most 100: %q", len(line)-1, line)
		}
	}
}
