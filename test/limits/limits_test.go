package limits

import (
	"bytes"
	"context"
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

func run(ctx context.Context, args ...string) (status int, stdout, stderr string) {
	var out, progress bytes.Buffer
	app := kingpin.New("test", "")
	status = command.Run(ctx, app, append([]string{"limits"}, args...), &out, &progress, Commands)
	return status, out.String(), progress.String()
}

// TestSmallFleetIsMeasured measures everything on a small cluster. The values of the figures do not matter here, but no
// object may be missing or doubled while the fleet is scaled, and a warm start must read almost nothing.
func TestSmallFleetIsMeasured(t *testing.T) {
	binary, err := fleet.Build(fleet.Statefleet)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	status, out, progress := run(t.Context(), "--binary="+binary, "--pods=300", "--replicas=2", "--to=3",
		"--events-per-second=20",
		"--warm=1s", "--window=1s", "--hold=1s", "--results="+dir, "--name=small")
	if status != command.OK {
		t.Fatalf("status %d:\n%s", status, progress)
	}
	text, err := os.ReadFile(filepath.Join(dir, "small.json"))
	if err != nil {
		t.Fatal(err)
	}
	var found findings
	if err := json.Unmarshal(text, &found); err != nil {
		t.Fatal(err)
	}
	rows := map[string]row{}
	for _, r := range found.Rows {
		rows[r.Name] = r
	}
	const changes, kinds = 4, 2
	if len(found.Audits) != changes*kinds {
		t.Fatalf("got %d audits, want %d", len(found.Audits), changes*kinds)
	}
	for _, a := range found.Audits {
		if a.Doubled+a.Ghost > 0 || a.Missing > 0 && !strings.HasPrefix(a.Change, "rolling restart") {
			t.Errorf("objects are missing, doubled or stale: %+v", a)
		}
		if a.Objects == 0 || a.Looks < 2 || a.Moved == 0 {
			t.Errorf("the audit has no objects, fewer than 2 samples or no moves: %+v", a)
		}
	}
	for _, name := range []string{
		"start of 2: CPU", "steady: resident memory", "expositions: series",
		"rolling restart, cold: CPU of one until then",
	} {
		if r := rows[name]; r.Measured <= 0 || r.Estimate <= 0 || !strings.Contains(out, name) {
			t.Errorf("%s: measured %v, estimated %v; want both in the table and above 0", name, r.Measured, r.Estimate)
		}
	}
	const sent = "from the API server to one until then"
	cold, warm := rows["rolling restart, cold: "+sent], rows["rolling restart, warm: "+sent]
	if warm.Measured > cold.Measured/4 {
		t.Errorf("a warm start received %v MB, a cold one %v MB; want at most a quarter", warm.Measured, cold.Measured)
	}
	if t.Failed() {
		t.Logf("%s\n%s", progress, out)
	}
}

func TestValuesThatCannotBeMeasuredAreRefused(t *testing.T) {
	for want, args := range map[string][]string{
		"--to must be more than --replicas, got 8":  {"--to=8"},
		"--replicas must be at least 1, got 0":      {"--replicas=0"},
		"--pods must be at least 30, got 5":         {"--pods=5"},
		`enum value must be one of steady,scale,re`: {"--part=other"},
	} {
		if status, _, stderr := run(t.Context(), args...); status != command.Usage || !strings.Contains(stderr, want) {
			t.Errorf("%q: got status %d, %s; want %d, %q", args, status, stderr, command.Usage, want)
		}
	}
}

func TestTableShowsHowFarTheEstimateIsOff(t *testing.T) {
	var out strings.Builder
	writeRows(&out, []row{
		{Name: "memory", Unit: "MiB", Measured: 100, Estimate: 120}, {Name: "time", Unit: "s", Measured: 3},
	})
	const want = `| figure      | measured | estimate | off   |
| ----------- | -------- | -------- | ----- |
| memory, MiB | 100      | 120      | +20 % |
| time, s     | 3.00     |          |       |
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &out, want)
	}
}

func TestCostOfAChangeExcludesTheBaseline(t *testing.T) {
	baseline := window{seconds: 10, cpu: 2, bytes: 100}
	if cpu, bytes := (window{seconds: 5, cpu: 4, bytes: 70}).excess(baseline); cpu != 3 || bytes != 20 {
		t.Errorf("got %v CPU seconds, %v bytes; want 3, 20", cpu, bytes)
	}
	if cpu, bytes := (window{seconds: 5, cpu: 0.5, bytes: 10}).excess(baseline); cpu != 0 || bytes != 0 {
		t.Errorf("got %v CPU seconds, %v bytes; want 0, because a change cannot cost less than nothing", cpu, bytes)
	}
}
