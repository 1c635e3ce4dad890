package attack

import (
	"runtime"
	"strings"
	"testing"

	"github.com/alecthomas/kingpin/v2"

	"github.com/statefleet/statefleet/benchmarks/fleet"
)

// TestAttacksTakeNothingAway is the short form of `make attack`: during each attack, a Prometheus and a kubelet are served.
func TestAttacksTakeNothingAway(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("NOT TESTED: takes /proc, and more addresses of this machine than 127.0.0.1")
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
	if err := playAll(t.Context(), *o, &out); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
	t.Log(out.String())
	for _, a := range attacks() {
		if !strings.Contains(out.String(), a.name) {
			t.Errorf("%s was not played", a.name)
		}
	}
}

// TestVerdict: scrapes have to be answered, and a kubelet restarts a container after three probes in a row.
func TestVerdict(t *testing.T) {
	well := experience{scrapes: tally{answered: 5, all: 5}, ports: [2]tally{{answered: 5, all: 5}, {answered: 5, all: 5}}}
	for name, c := range map[string]struct {
		change func(*experience)
		bad    bool
	}{
		"well":                {func(*experience) {}, false},
		"a scrape is refused": {func(e *experience) { e.scrapes.add(false) }, true},
		"no scrape":           {func(e *experience) { e.scrapes = tally{} }, true},
		"no probe of a port":  {func(e *experience) { e.ports[1] = tally{} }, true},
		"two probes fail": {func(e *experience) {
			e.ports[1].add(false)
			e.ports[1].add(false)
			e.ports[1].add(true)
			e.ports[1].add(false)
		}, false},
		"three in a row fail":   {func(e *experience) { e.ports[0].add(false); e.ports[0].add(false); e.ports[0].add(false) }, true},
		"three on two ports do": {func(e *experience) { e.ports[0].add(false); e.ports[0].add(false); e.ports[1].add(false) }, false},
	} {
		e := well
		if c.change(&e); (e.verdict() != nil) != c.bad {
			t.Errorf("%s: %v", name, e.verdict())
		}
	}
}
