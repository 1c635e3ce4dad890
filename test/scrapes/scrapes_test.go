package scrapes

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kingpin/v2"
	"go.uber.org/goleak"

	"github.com/statefleet/statefleet/benchmarks/command"
	"github.com/statefleet/statefleet/benchmarks/fleet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func run(t *testing.T, args ...string) (status int, stderr string) {
	t.Helper()
	var out, progress bytes.Buffer
	app := kingpin.New("test", "")
	status = command.Run(t.Context(), app, append([]string{"prometheus"}, args...), &out, &progress, Commands)
	return status, progress.String() + out.String()
}

// measured measures a small cluster with the shipped profiles.
func measured(t *testing.T, args ...string) []figures {
	t.Helper()
	root, err := fleet.Root()
	if err != nil {
		t.Fatal(err)
	}
	return measuredWith(t, filepath.Join(root, "manifests", "profiles"), args...)
}

// measuredWith measures a small cluster with the profiles of a folder.
func measuredWith(t *testing.T, profiles string, args ...string) []figures {
	t.Helper()
	binary, err := fleet.Build(fleet.Statefleet)
	if err != nil {
		t.Fatal(err)
	}
	prometheus, err := fleet.Build("test/cmd/prometheus")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	status, stderr := run(t, append([]string{
		"--binary=" + binary, "--prometheus=" + prometheus, "--profiles=" + profiles, "--pods=300",
		"--interval=2s", "--duration=4s", "--results=" + dir, "--name=small",
	}, args...)...)
	if status != command.OK {
		t.Fatalf("status %d:\n%s", status, stderr)
	}
	text, err := os.ReadFile(filepath.Join(dir, "small.json"))
	if err != nil {
		t.Fatal(err)
	}
	var found findings
	if err := json.Unmarshal(text, &found); err != nil {
		t.Fatal(err)
	}
	return found.Figures
}

// TestSamplesDoNotDependOnTheNumberOfReplicas also checks that the profiles differ in their samples.
func TestSamplesDoNotDependOnTheNumberOfReplicas(t *testing.T) {
	all := measured(t, "--replicas=1", "--replicas=2", "--zeros=without")
	if len(all) != 4 {
		t.Fatalf("got %d combinations, want 4", len(all))
	}
	for _, f := range all {
		if f.GivenUp != "" || f.CPU <= 0 || f.Took <= 0 || f.Longest < f.Took {
			t.Errorf("CPU or durations are wrong, or the combination was aborted: %+v", f)
		}
		if f.Live <= 0 || f.Resident < f.Live || f.Series < f.Samples/2 {
			t.Errorf("memory or series are wrong: %+v", f)
		}
	}
	const tolerance = 0.1 // the cluster changes, and the samples include those about scrapes
	for i := 0; i < len(all); i += 2 {
		if one, two := all[i].Samples, all[i+1].Samples; two < one*(1-tolerance) || two > one*(1+tolerance) {
			t.Errorf("%s: got %v samples of one replica and %v of two, want about as many", all[i].Profile, one, two)
		}
	}
	if all[0].Profile != "default" || all[2].Samples > all[0].Samples/2 {
		t.Errorf("got %v samples of profile %s and %v of profile %s, want at most half as many", all[0].Samples, all[0].Profile,
			all[2].Samples, all[2].Profile)
	}
}

func TestPrometheusThatUsesTooMuchMemoryIsAborted(t *testing.T) {
	all := measured(t, "--replicas=1", "--profile=minimal", "--zeros=with", "--most-memory=1Mi")
	if len(all) != 1 || all[0].GivenUp != tooLarge || all[0].Resident <= mebi {
		t.Fatalf("got %+v, want one combination that was aborted because of memory", all)
	}
	var table strings.Builder
	writeFigures(&table, all)
	if !strings.Contains(table.String(), "| above ") {
		t.Errorf("the table does not show that the limit was exceeded:\n%s", &table)
	}
}

// Scrapes fail with the profile "default", because it demands a token and Prometheus has none.
func TestCombinationWhoseScrapesFailIsAborted(t *testing.T) {
	profiles := t.TempDir()
	for name, text := range map[string]string{"default": "auth-filter: true\n", "minimal": "resources: [nodes]\n"} {
		if err := os.WriteFile(filepath.Join(profiles, name+".yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	all := measuredWith(t, profiles, "--replicas=1", "--zeros=with")
	if len(all) != 2 || all[0].GivenUp != failed || all[1].GivenUp != "" || all[1].Samples == 0 {
		t.Fatalf("got %+v, want the first one aborted by a failed scrape, the second one measured", all)
	}
	var table strings.Builder
	writeFigures(&table, all)
	if n := strings.Count(table.String(), "| failed "); n != 1 {
		t.Errorf("the table shows %d failed scrapes, want 1:\n%s", n, &table)
	}
}

func TestValuesThatCannotBeMeasuredAreRefused(t *testing.T) {
	for want, args := range map[string][]string{
		"--duration must be at least --interval, got 1s":         {"--duration=1s"},
		"--replicas must be at least 1, got 0":                   {"--replicas=0"},
		"--interval must be at least 1, got 0.5":                 {"--interval=500ms"},
		`--most-memory must be a size such as 14Gi, got "large"`: {"--most-memory=large"},
	} {
		if status, stderr := run(t, args...); status != command.Usage || !strings.Contains(stderr, want) {
			t.Errorf("%q: got status %d, %s; want %d, %q", args, status, stderr, command.Usage, want)
		}
	}
}
