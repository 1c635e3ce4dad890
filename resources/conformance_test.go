package resources

import (
	"slices"
	"testing"

	"github.com/statefleet/statefleet/internal/testing/conformance"
	"github.com/statefleet/statefleet/internal/wire"
)

// minFixtures is the number of fixtures whose kinds are all known. It guards against a test that passes because it
// finds no fixtures.
const minFixtures = 65

// TestConformance compares the rendered lines of each fixture's objects with the lines in the fixture, in both
// encodings.
func TestConformance(t *testing.T) {
	kinds := kindsByName()
	ran := 0
	for _, f := range readFixtures(t) {
		if f.options.KSMDialect {
			// The fixture cronjobs-dialect has schedules that kube-state-metrics interprets differently from the CronJob
			// controller. This package follows the controller; see TestCronScheduleFollowsController.
			continue
		}
		known := !slices.ContainsFunc(f.options.Resources, func(name string) bool { return kinds[name].renderer == nil })
		if !known {
			continue
		}
		ran++
		for _, enc := range []wire.Encoding{wire.Protobuf, wire.JSON} {
			t.Run(f.name+"/"+enc.String(), func(t *testing.T) { f.check(t, kinds, enc) })
		}
	}
	t.Logf("%d fixtures", ran)
	if ran < minFixtures {
		t.Errorf("%d fixtures ran, want at least %d", ran, minFixtures)
	}
}

func kindsByName() map[string]Kind {
	kinds := map[string]Kind{}
	for _, k := range All() {
		kinds[k.Name()] = k
	}
	return kinds
}

func (f fixture) check(t *testing.T, kinds map[string]Kind, enc wire.Encoding) {
	got := conformance.NewExposition()
	filter := f.options.filter(t)
	renderers := map[string]*Renderer{}
	var lines, uncut Lines
	for _, o := range f.objects {
		k := kinds[o.resource]
		if !f.options.selects(k, o.namespace) {
			continue
		}
		r := renderers[k.Name()]
		if r == nil {
			r = mustRenderer(t, k, filter)
			renderers[k.Name()] = r
		}
		if err := r.Render(enc, o.raw[enc], &lines); err != nil {
			t.Fatalf("%s: %v", o.raw[wire.JSON], err)
		}
		if err := addLines(&got, r.Families(), lines); err != nil {
			t.Error(err)
		}
		// Cutting the fields that no family reads must not change a line.
		renderUncut(t, r, enc, o.raw[enc], &uncut)
		if string(lines.Buf) != string(uncut.Buf) {
			t.Errorf("lines with the mask:\n%s\nwithout the mask:\n%s", lines.Buf, uncut.Buf)
		}
	}
	f.compare(t, got)
}

func mustRenderer(t testing.TB, k Kind, f Filter) *Renderer {
	t.Helper()
	r, err := k.Renderer(f)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// renderUncut renders the object from all its bytes, without the mask.
func renderUncut(t testing.TB, r *Renderer, enc wire.Encoding, raw []byte, l *Lines) {
	t.Helper()
	l.Reset()
	if err := r.render(enc, raw, &scratch{out: SampleWriter{lines: l}}); err != nil {
		t.Fatal(err)
	}
}

// addLines adds the lines of one object to an exposition.
func addLines(p *conformance.Exposition, families []Family, l Lines) error {
	for i, f := range families {
		if err := p.AddFamily(f.Name, string(f.TextHeader()), string(l.Family(i))); err != nil {
			return err
		}
	}
	return nil
}

func (f fixture) compare(t *testing.T, got conformance.Exposition) {
	t.Helper()
	compared := func(family string) bool {
		return len(f.options.Families) == 0 || slices.Contains(f.options.Families, family)
	}
	for _, d := range got.Diff(f.want, compared) {
		t.Error(d)
	}
}
