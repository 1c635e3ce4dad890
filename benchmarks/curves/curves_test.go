package curves

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/statefleet/statefleet/internal/capacity"
)

// files creates copies of the files that the command updates.
func files(t *testing.T) options {
	t.Helper()
	dir := t.TempDir()
	costs, err := os.ReadFile("../../internal/capacity/costs.yaml")
	if err != nil {
		t.Fatal(err)
	}
	o := options{results: filepath.Join(dir, "results"), images: dir, costs: filepath.Join(dir, "costs.yaml"), docs: filepath.Join(dir, "docs.md")}
	for file, text := range map[string]string{
		o.costs: string(costs), o.docs: "<!-- runs: begin -->\n<!-- runs: end -->\n<!-- costs: begin -->\n<!-- costs: end -->\n",
	} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

func TestResultsTablesAndDrawingsAreUpdated(t *testing.T) {
	o := files(t)
	o.parts = []string{"../results/curves.json"}
	var stdout bytes.Buffer
	if err := o.make(&stdout); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{", commit ", "| 110000 | 8 ", "| 1 of 256 |", "`start.foreignObject`"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("output does not have %q:\n%s", want, &stdout)
		}
	}
	docs, err := os.ReadFile(o.docs)
	if err != nil || !bytes.Contains(docs, []byte("110000")) || !bytes.Contains(docs, []byte("process.base")) {
		t.Errorf("got %v and the docs below, want tables with 110000 and process.base\n%s", err, docs)
	}
	for _, name := range []string{"curve-size.svg", "curve-shards.svg", "curve-rate.svg"} {
		wellFormed(t, filepath.Join(o.images, name))
	}
	// The result is curves.json, which has the runs that were read.
	before, err := read(o.parts)
	if err != nil {
		t.Fatal(err)
	}
	after, err := read([]string{filepath.Join(o.results, "curves.json")})
	if err != nil || !slices.Equal(after.Runs, before.Runs) || after.Conditions.Commit != before.Conditions.Commit {
		t.Errorf("got %v and %d runs of commit %s in the result, want the %d runs of commit %s that were read",
			err, len(after.Runs), after.Conditions.Commit, len(before.Runs), before.Conditions.Commit)
	}
}

// TestCostsAreUpdated checks that the costs that runs determine change, and nothing else.
func TestCostsAreUpdated(t *testing.T) {
	o := files(t)
	before, err := os.ReadFile(o.costs)
	if err != nil {
		t.Fatal(err)
	}
	old, err := capacity.Measured()
	if err != nil {
		t.Fatal(err)
	}
	now := old
	now.Process.Base, now.Process.ForeignEvent, now.Start.Fixed, now.Scrape.Fixed = 44e6, 9_000, 123_000_000, 3_000_000
	if err := updateCosts(o.costs, fittedCosts(now)); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(o.costs)
	if err != nil {
		t.Fatal(err)
	}
	var got capacity.Costs
	if err := yaml.Unmarshal(after, &got); err != nil {
		t.Fatal(err)
	}
	if got.Process.Base != 44e6 || got.Process.ForeignEvent != 9_000 || got.Start.Fixed != 123_000_000 || got.Scrape.Fixed != 3_000_000 {
		t.Errorf("got %+v, want the updated costs", got)
	}
	if got.Process.Garbage != old.Process.Garbage || got.Kinds["pods"] != old.Kinds["pods"] {
		t.Error("got changed costs that were not fitted, want the old ones")
	}
	if a, b := bytes.Count(before, []byte("#")), bytes.Count(after, []byte("#")); a != b {
		t.Errorf("got %d comments, want %d", b, a)
	}
	if err := updateCosts(o.costs, []fitted{{Section: "scrape", Key: "base", Now: "1"}}); err == nil {
		t.Error("got no error for a key of another section, want one")
	}
}

func wellFormed(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	circles := 0
	for d := xml.NewDecoder(bytes.NewReader(text)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "circle" {
			circles++
		}
	}
	if circles == 0 || bytes.Contains(text, []byte("NaN")) || bytes.Contains(text, []byte("Inf")) {
		t.Errorf("%s: got %d points, want at least one and no coordinate that is NaN or infinite", file, circles)
	}
}

func TestTicks(t *testing.T) {
	f := func(most, last float64, n int) {
		t.Helper()
		all := ticks(most)
		if got := all[len(all)-1]; got < most || got != last || len(all) != n {
			t.Errorf("up to %g: got %v, want %d ticks up to %g", most, all, n, last)
		}
	}
	f(8, 8, 5)
	f(220, 250, 6)
	f(1, 1, 6)
	f(0, 1, 6)
	f(610, 800, 5)
	f(61_000, 80_000, 5)
}

func TestTooFewRuns(t *testing.T) {
	file := filepath.Join(t.TempDir(), "few.json")
	if err := os.WriteFile(file, []byte(`{"Runs": [{"Pods": 1, "Shards": 1, "Memory": 1}]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := (&options{parts: []string{file}}).make(io.Discard); err == nil || !strings.Contains(err.Error(), "runs are too few") {
		t.Errorf("got error %v, want one that states that the runs are too few", err)
	}
}
