package curves

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kingpin/v2"
	"go.yaml.in/yaml/v3"

	"github.com/statefleet/statefleet/benchmarks/command"
	"github.com/statefleet/statefleet/benchmarks/fit"
	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/internal/capacity"
)

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return command.Run(ctx, kingpin.New("benchmarks", ""), append([]string{"curves"}, args...), stdout, stderr, Commands)
}

// runs returns runs that nearly match the cost model of the repository.
func runs(t *testing.T) []fit.Run {
	t.Helper()
	c, err := capacity.Measured()
	if err != nil {
		t.Fatal(err)
	}
	var all []fit.Run
	for _, shape := range []fit.Run{
		{Pods: 1100, Shards: 1}, {Pods: 22_000, Shards: 1}, {Pods: 110_000, Shards: 1}, {Pods: 110_000, Shards: 4},
		{Pods: 110_000, Shards: 8}, {Pods: 110_000, Shards: 8, ServerSharded: true},
	} {
		l := load(c, shape.Pods, quantity{})
		l.ServerSharded = shape.ServerSharded
		one, n := c.Replica(l, shape.Shards), float64(shape.Shards)
		r := shape
		r.Objects, r.Series, r.Text, r.Gzip = l.Total().Objects, n*one.Series, n*one.Text, n*one.Gzip
		r.SyncCPU, r.SyncBytes = n*one.StartCPU.Seconds(), n*one.StartBytes
		l.Events = 0
		r.Memory, r.ChurnMemory = n*c.Replica(l, shape.Shards).Memory, n*one.Memory
		r.Idle, r.ScrapeCPU = n*c.Process.Idle.Seconds(), n*one.ScrapeCPU.Seconds()
		r.Events, r.CPU, r.EventBytes = drawnEvents, n*one.CPU, n*one.EventBytes
		all = append(all, r)
	}
	return append(all, fit.Run{Pods: 5500, Objects: 14_000, Shards: 256, Running: 1, Idle: 0.005, Events: 1000, CPU: 0.02, EventBytes: 7e6, SyncBytes: 6e7})
}

// files creates the files that the command reads and updates.
func files(t *testing.T) (part string, o options) {
	t.Helper()
	dir := t.TempDir()
	m := measured{Runs: runs(t)}
	m.Conditions.Commit, m.Conditions.Objects = "abc", map[string]simulator.Mix{"pods": {Objects: 110_000, Bytes: 1e9}}
	body, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	costs, err := os.ReadFile("../../internal/capacity/costs.yaml")
	if err != nil {
		t.Fatal(err)
	}
	part = filepath.Join(dir, "part.json")
	o = options{results: filepath.Join(dir, "results"), images: dir, costs: filepath.Join(dir, "costs.yaml"), docs: filepath.Join(dir, "docs.md")}
	for file, text := range map[string]string{
		part: string(body), o.costs: string(costs), o.docs: "<!-- runs: begin -->\n<!-- runs: end -->\n<!-- costs: begin -->\n<!-- costs: end -->\n",
	} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return part, o
}

func TestResultsTablesAndDrawingsAreUpdated(t *testing.T) {
	part, o := files(t)
	var stdout, stderr bytes.Buffer
	args := []string{part, "--results=" + o.results, "--images=" + o.images, "--costs=" + o.costs, "--docs=" + o.docs}
	if code := run(t.Context(), args, &stdout, &stderr); code != 0 {
		t.Fatalf("got exit code %d, want 0: %s", code, &stderr)
	}
	for _, want := range []string{"commit abc", "| 110000 | 8 ", "| 1 of 256 |", "`start.foreignObject`"} {
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
	// curves.json can serve as input in place of the parts.
	if code := run(t.Context(), append([]string{filepath.Join(o.results, "curves.json")}, args[1:]...), &stdout, &stderr); code != 0 {
		t.Fatalf("got exit code %d with curves.json as the part, want 0: %s", code, &stderr)
	}
}

// TestCostsAreUpdated checks that the costs that runs determine change, and nothing else.
func TestCostsAreUpdated(t *testing.T) {
	_, o := files(t)
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

func TestUsage(t *testing.T) {
	f := func(want int, message string, args ...string) {
		t.Helper()
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), args, &stdout, &stderr); code != want || !strings.Contains(stdout.String()+stderr.String(), message) {
			t.Errorf("%q: got exit code %d, want %d and a message with %q\n%s%s", args, code, want, message, &stdout, &stderr)
		}
	}
	f(0, "--images", "--help")
	f(2, "part")
	f(1, "no-such-file", "/no-such-file")
	f(1, "runs are too few", few(t))
}

// few returns the path of a part with too few runs to determine the costs.
func few(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "few.json")
	if err := os.WriteFile(file, []byte(`{"Runs": [{"Pods": 1, "Shards": 1, "Memory": 1}]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}
