package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestClientsOfASmallReplica is the short form of `make pressure`: a replica with little
// more memory than it needs outlives lists and fifty clients at once, ten of which
// never read.
func TestClientsOfASmallReplica(t *testing.T) {
	group, err := newGroup()
	if err != nil {
		t.Skipf("NOT TESTED: %v", err)
	}
	group.close()
	binary := filepath.Join(t.TempDir(), "statefleet")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../../cmd/statefleet")
	build.Env = append(build.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	app, o := flags()
	if _, err := app.Parse([]string{"--binary=" + binary, "--pods=2000", "--storms=2", "--scrape=10s"}); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := press(t.Context(), *o, &out, part{"start and scrapes", (*pressure).scrapes}); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
	t.Log(out.String())
}
