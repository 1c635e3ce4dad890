package pressure

import (
	"strings"
	"testing"

	"github.com/alecthomas/kingpin/v2"

	"github.com/statefleet/statefleet/benchmarks/fleet"
)

// TestClientsOfASmallReplica is the short form of `make pressure`: a replica with little more memory than it
// needs survives lists and fifty concurrent clients, ten of which never read.
func TestClientsOfASmallReplica(t *testing.T) {
	group, err := newGroup()
	if err != nil {
		t.Skipf("NOT TESTED: %v", err)
	}
	group.close()
	t.Setenv("CGO_ENABLED", "0")
	binary, err := fleet.Build(fleet.Statefleet)
	if err != nil {
		t.Fatal(err)
	}
	app := kingpin.New("benchmarks", "")
	_, o := flags(app)
	if _, err := app.Parse([]string{"pressure", "--binary=" + binary, "--pods=2000", "--storms=2", "--scrape=10s"}); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := o.run(t.Context(), &out, (*pressure).scrapes); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
	t.Log(out.String())
}
