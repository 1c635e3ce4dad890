package load

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"go.uber.org/goleak"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/statefleet/statefleet/benchmarks/command"
	"github.com/statefleet/statefleet/benchmarks/fit"
	"github.com/statefleet/statefleet/benchmarks/measure"
	"github.com/statefleet/statefleet/benchmarks/report"
)

// asExporter is the environment variable that makes the test binary act as an exporter, which the tests measure.
const asExporter = "STATEFLEET_TEST_EXPORTER"

func TestMain(m *testing.M) {
	if os.Getenv(asExporter) != "" {
		if err := export(os.Args[1:]); err != nil {
			_, _ = fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// run runs the subcommand that is the first argument that is not a flag.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	i := slices.IndexFunc(args, func(arg string) bool { return !strings.HasPrefix(arg, "-") })
	words := append([]string{args[i]}, slices.Delete(slices.Clone(args), i, i+1)...)
	if args[i] != "compare" {
		words = append([]string{"load"}, words...)
	}
	return command.Run(ctx, kingpin.New("benchmarks", ""), words, stdout, stderr, Commands)
}

// export is a minimal exporter. It lists pods, and serves the number of bytes of the list and a sample of
// value 0.
func export(args []string) error {
	flags := flag.NewFlagSet("exporter", flag.ContinueOnError)
	kubeconfig := flags.String("kubeconfig", "", "")
	port := flags.Int("port", 0, "")
	config := flags.String("config", "", "")
	skipZeros := flags.Bool("metric.skip-zero-statesets", false, "")
	flags.String("store.snapshot-dir", "", "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	cluster, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		return err
	}
	response, err := http.Get(cluster.Host + "/api/v1/pods") //nolint:noctx // the tests end the process
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, "# TYPE listed_bytes gauge\nlisted_bytes{config=%q} %d\n", *config, len(body))
		if !*skipZeros {
			_, _ = fmt.Fprintln(w, "# TYPE nothing gauge\nnothing 0")
		}
	})
	server := &http.Server{Addr: fmt.Sprintf("127.0.0.1:%d", *port), ReadHeaderTimeout: time.Second}
	return server.ListenAndServe()
}

// short returns flags with which a measurement of a small cluster takes seconds.
func short(t *testing.T, further ...string) []string {
	t.Setenv(asExporter, "1")
	return append([]string{
		"--pods=30", "--results=" + t.TempDir(), "--binary=" + os.Args[0], "--args=-kubeconfig={{.Kubeconfig}} -port={{.Port}}",
		"--at-rest=200ms", "--settle=10ms", "--warm=10ms", "--window=300ms", "--every=10ms", "--scrapes=2", "--churn-scrapes=2", "--touch-rate=100000",
	}, further...)
}

// measured measures a small cluster, and returns the output and the folder of the results.
func measured(t *testing.T, args ...string) (stdout, stderr, results string) {
	t.Helper()
	args = short(t, args...)
	var out, progress bytes.Buffer
	if code := run(t.Context(), args, &out, &progress); code != command.OK {
		t.Fatalf("got exit code %d, want %d: %s", code, command.OK, &progress)
	}
	return out.String(), progress.String(), strings.TrimPrefix(args[1], "--results=")
}

// saved reads a result file.
func saved(t *testing.T, path string) (found findings) {
	t.Helper()
	body, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(body, &found)
	}
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestFleetIsMeasured(t *testing.T) {
	stdout, _, results := measured(t, "fleet", "--shards=2")
	for _, want := range []string{"of them pods", "sum", "shard 0", "shard 1", "series", "gzip scrape, every object replaced"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("output does not have %q:\n%s", want, stdout)
		}
	}
	for _, name := range []string{"fleet-30-2.md", "fleet-30-2.json"} {
		if b, err := os.ReadFile(filepath.Join(results, name)); err != nil || len(b) == 0 {
			t.Errorf("%s: got %d bytes, %v, want a file that is not empty", name, len(b), err)
		}
	}
}

func TestCurveHasARunOfEachFleet(t *testing.T) {
	f := func(want []fit.Run, further ...string) {
		t.Helper()
		_, _, results := measured(t, append(further, "--name=x")...)
		var shapes []fit.Run
		for _, r := range saved(t, filepath.Join(results, "x.json")).Runs {
			if r.SyncBytes <= 0 || r.Memory <= 0 && r.Running == 0 || r.Events <= 0 {
				t.Errorf("got %+v, want a run with sync bytes, memory and events", r)
			}
			shapes = append(shapes, fit.Run{Pods: r.Pods, Shards: r.Shards, Running: r.Running, ServerSharded: r.ServerSharded})
		}
		if !slices.Equal(shapes, want) {
			t.Errorf("got runs %+v, want %+v", shapes, want)
		}
	}
	f([]fit.Run{{Pods: 22, Shards: 1}, {Pods: 22, Shards: 2}, {Pods: 33, Shards: 1}, {Pods: 33, Shards: 2}},
		"curve", "--size=20", "--size=30", "--fleet=1", "--fleet=2")
	f([]fit.Run{{Pods: 33, Shards: 2, ServerSharded: true}}, "curve", "--size=30", "--fleet=2", "--server-sharding")
	f([]fit.Run{{Pods: 33, Shards: foreignShards, Running: 1}, {Pods: 33, Shards: foreignShards, Running: 1}}, "rates", "--rate=1000", "--rate=2000")
}

func TestStartsWithAndWithoutSavedStateAreCompared(t *testing.T) {
	stdout, _, _ := measured(t, "restarts", "--rounds=1")
	// CPU comes in steps of 10 ms, so the exporter of the tests may have none.
	if want := "| bytes from the API server until then "; !strings.Contains(stdout, want) {
		t.Errorf("output does not have %q:\n%s", want, stdout)
	}
}

func TestExpositionOfEachProfileIsMeasured(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"little.yaml", "much.yaml"} {
		if err := os.WriteFile(filepath.Join(folder, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	stdout, _, results := measured(t, "profiles", "--folder="+folder)
	var series []float64
	for _, f := range saved(t, filepath.Join(results, "profiles-30.json")).Figures {
		series = append(series, f[measure.Series])
	}
	if want := []float64{2, 1, 2, 1}; !slices.Equal(series, want) {
		t.Errorf("got %g series, want %g", series, want)
	}
	if want := "| much | without | 0 k | 0 MB | 0.0 MB |"; !strings.Contains(stdout, want) {
		t.Errorf("output does not have %q:\n%s", want, stdout)
	}
	if code := run(t.Context(), short(t, "profiles", "--folder="+t.TempDir()), io.Discard, io.Discard); code == command.OK {
		t.Error("got exit code 0 for a folder without configuration files, want an error")
	}
}

// TestFleetsAreComparedWithTheFirst checks that each fleet has a column, without and with sharding by
// the API server.
func TestFleetsAreComparedWithTheFirst(t *testing.T) {
	stdout, _, _ := measured(t, "fleets", "--fleet=1", "--fleet=2")
	for _, columns := range [][]string{{"figure", "1", "2", "2, by the server"}, {"times the first", "2", "2, by the server"}} {
		found := strings.FieldsFunc(stdout, func(r rune) bool { return r == '\n' })
		if !slices.ContainsFunc(found, func(line string) bool {
			var cells []string
			for cell := range strings.SplitSeq(strings.Trim(line, "|"), "|") {
				cells = append(cells, strings.TrimSpace(cell))
			}
			return slices.Equal(cells, columns)
		}) {
			t.Errorf("output has no table with the columns %q:\n%s", columns, stdout)
		}
	}
	if got := strings.Count(stdout, "proportional memory, at rest"); got != 2 {
		t.Errorf("got proportional memory in %d tables, want 2", got)
	}
}

func TestTargetsHaveARowEach(t *testing.T) {
	stdout, stderr, _ := measured(t, "targets", "--starts=1")
	if !strings.Contains(stdout, "Reading all lists") || !strings.Contains(stderr, "dropping them: 0.0") {
		t.Errorf("output does not have the CPU for reading all lists:\n%s%s", stdout, stderr)
	}
	if rows := strings.Count(stdout, "| yes") + strings.Count(stdout, "| no "); rows != len(complete().judge(20_000)) {
		t.Errorf("got %d rows, want %d:\n%s", rows, len(complete().judge(20_000)), stdout)
	}
}

// TestComparisonHasRatios also checks that each exporter gets a cluster that the other one's run has not changed.
func TestComparisonHasRatios(t *testing.T) {
	stdout, stderr, _ := measured(t, "compare", "--rounds=1", "--other="+os.Args[0], "--other-args=-kubeconfig={{.Kubeconfig}} -port={{.Port}}")
	if clusters := strings.Count(stderr, "generated in"); clusters != 2 {
		t.Errorf("got %d clusters, want 2:\n%s", clusters, stderr)
	}
	for _, want := range []string{"median of 1", "ratio", "resident memory, at rest", "gzip scrape, every object replaced, body"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("output does not have %q:\n%s", want, stdout)
		}
	}
}

// complete returns an outcome in which every figure is 1.
func complete() outcome {
	all := outcome{}
	for _, column := range columns() {
		all[column] = report.Figures{}
		for _, m := range measure.Measures() {
			all[column][m.Name] = 1
		}
	}
	return all
}

// TestTargetsHaveTheirLimits checks limits for a machine with two cores.
func TestTargetsHaveTheirLimits(t *testing.T) {
	f := func(pods int, want map[string]float64) {
		t.Helper()
		found := map[string]float64{}
		for _, row := range complete().judge(pods) {
			if _, ok := found[row.name]; ok {
				t.Errorf("got two rows %q, want one", row.name)
			}
			found[row.name] = row.limit
		}
		for name, limit := range want {
			if got := found[name]; got < limit*0.999 || got > limit*1.001 {
				t.Errorf("%d pods, %s: got limit %g, want %g", pods, name, got, limit)
			}
		}
	}
	f(20_000, map[string]float64{
		"gzip scrape, nothing changed, CPU": 52, "gzip scrape, nothing changed, median": 60, "gzip scrape, nothing changed, body": 48.5,
		"gzip scrape, every object replaced, CPU": 3640, "identity scrape, CPU": 710, "resident memory, at rest": 160,
		"first sync, one: CPU": 2.72, "CPU for an event of the cluster": 60, "CPU for an event of another shard": 6,
	})
	f(100_000, map[string]float64{"gzip scrape, nothing changed, CPU": 310, "gzip scrape, nothing changed, median": 300, "resident memory, at rest": 600})
	f(2_000, map[string]float64{"resident memory, at rest": 16, "CPU for an event of another shard": 6})
}

func TestErrorHasTheOutputOfAnExporterThatEnds(t *testing.T) {
	args := short(t, "fleet")
	for i := range args {
		args[i] = strings.Replace(args[i], "-kubeconfig", "-no-such-flag", 1)
	}
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), args, &stdout, &stderr); code != command.Failure || !strings.Contains(stderr.String(), "no-such-flag") {
		t.Errorf("got exit code %d, want %d and the output of the exporter: %s", code, command.Failure, &stderr)
	}
}
