package attack

import (
	"runtime"
	"strings"
	"testing"

	"github.com/alecthomas/kingpin/v2"

	"github.com/statefleet/statefleet/benchmarks/fleet"
)

// TestAttacksTakeNothingAway is the short form of `make attack`: during each attack, statefleet serves a Prometheus
// and a kubelet.
func TestAttacksTakeNothingAway(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("NOT TESTED: needs /proc and the addresses of 127.0.0.0/8")
	}
	t.Setenv("CGO_ENABLED", "0")
	binary, err := fleet.Build(fleet.Statefleet)
	if err != nil {
		t.Fatal(err)
	}
	app := kingpin.New("benchmarks", "")
	_, o := flags(app)
	if _, err := app.Parse([]string{"attack", "--binary=" + binary, "--pods=200", "--each=2s"}); err != nil {
		t.Fatal(err)
	}
	o.brief = true
	var out strings.Builder
	if err := runAll(t.Context(), *o, &out); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
	t.Log(out.String())
	for _, a := range attacks() {
		if !strings.Contains(out.String(), a.name) {
			t.Errorf("the table has no row for the attack %s", a.name)
		}
	}
}

// TestVerdict: every scrape must succeed, and at most two consecutive probes of a port may fail.
func TestVerdict(t *testing.T) {
	good := outcome{scrapes: tally{answered: 5, all: 5}, ports: [2]tally{{answered: 5, all: 5}, {answered: 5, all: 5}}}
	for name, c := range map[string]struct {
		change func(*outcome)
		bad    bool
	}{
		"all succeed":         {func(*outcome) {}, false},
		"a scrape is refused": {func(e *outcome) { e.scrapes.add(false) }, true},
		"no scrape":           {func(e *outcome) { e.scrapes = tally{} }, true},
		"no probe of a port":  {func(e *outcome) { e.ports[1] = tally{} }, true},
		"two probes fail": {func(e *outcome) {
			e.ports[1].add(false)
			e.ports[1].add(false)
			e.ports[1].add(true)
			e.ports[1].add(false)
		}, false},
		"three in a row fail":     {func(e *outcome) { e.ports[0].add(false); e.ports[0].add(false); e.ports[0].add(false) }, true},
		"three on two ports fail": {func(e *outcome) { e.ports[0].add(false); e.ports[0].add(false); e.ports[1].add(false) }, false},
	} {
		e := good
		if c.change(&e); (e.verdict() != nil) != c.bad {
			t.Errorf("%s: got error %v, want an error: %v", name, e.verdict(), c.bad)
		}
	}
}
