package replica

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/internal/wire"
	"github.com/statefleet/statefleet/resources"
)

// panickingRenderer is a Renderer whose second family panics, and that panics itself for objects
// named "all".
type panickingRenderer struct{}

func (panickingRenderer) Families() []resources.Family {
	return []resources.Family{{Name: "whole"}, {Name: "broken"}}
}

func (panickingRenderer) Render(_ wire.Encoding, raw []byte, l *resources.Lines) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = resources.NewPanic(p)
		}
	}()
	resources.WriteFamilies(l, panickingRenderer{}.Families(), func(i int, m *resources.SampleWriter) {
		if i == 1 {
			var none []float64
			m.Value(none[i])
		}
		m.Value(1)
	})
	if string(raw) == "all" {
		var nothing *resources.Lines
		nothing.Skipped++
	}
	return nil
}

// TestPanicIsLoggedOnceWithItsStack covers panics of a family, and panics that leave out the object.
func TestPanicIsLoggedOnceWithItsStack(t *testing.T) {
	var log bytes.Buffer
	r := newWorld(t).start(func(o *Options) {
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
		o.Kinds = []Kind{{Name: "things", Renderer: panickingRenderer{}}}
	})
	if n := r.value("statefleet_family_failures_total", "family", "broken"); n != 0 {
		t.Errorf("statefleet_family_failures_total begins with %v, want 0", n)
	}
	h := &handler{kind: r.current()[0]}
	for i, name := range []string{"a", "b", "all", "all"} {
		meta := wire.Meta{UID: []byte(uid(i)), Namespace: []byte("ns"), Name: []byte(name)}
		h.Put(watch.Object{Meta: meta, Raw: []byte(name)})
	}
	r.stop()
	for _, text := range []string{"index out of range [1]", "nil pointer dereference"} {
		if n := strings.Count(log.String(), text); n != 1 {
			t.Errorf("%s is logged %d times, want once", text, n)
		}
	}
	if n := strings.Count(log.String(), "failures_test.go:"); n < 2 || !strings.Contains(log.String(), "family=broken namespace=ns name=a") {
		t.Errorf("the log lacks two stacks, or the family and the object:\n%s", &log)
	}
	if n := r.value("statefleet_family_failures_total", "family", "broken"); n != 2 {
		t.Errorf("statefleet_family_failures_total is %v, want 2", n)
	}
	if n := r.value("statefleet_updates_total", "result", "failed"); n != 2 {
		t.Errorf("%v versions are counted as failed, want 2", n)
	}
	if k := r.Overview().Kinds[0]; k.FailedObjects != 2 || k.FailedFamilies != 2 {
		t.Errorf("the overview has %d failed objects and %d failed families, want 2 and 2", k.FailedObjects, k.FailedFamilies)
	}
}

// TestProblemIsLoggedOnceForEachOfAFewNamespaces checks the bound on namespaces, of which a cluster may have many.
func TestProblemIsLoggedOnceForEachOfAFewNamespaces(t *testing.T) {
	k := &kind{loggedNamespaces: map[string]int{}}
	for _, problem := range []string{"limit", "eviction"} {
		logged := 0
		for i := range 4 * maxLoggedNamespaces {
			if k.firstTimeIn(string(uid(i/2)), problem) { // each namespace twice
				logged++
			}
		}
		if logged != maxLoggedNamespaces {
			t.Errorf("%s: logged for %d namespaces, want %d", problem, logged, maxLoggedNamespaces)
		}
	}
}
