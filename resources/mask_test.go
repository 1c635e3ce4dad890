package resources

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/internal/conformance"
	"github.com/statefleet/statefleet/internal/wire"
)

// Of each kind at least fewRandomObjects are rendered, and more until each of its
// families has had a sample, but no more than manyRandomObjects.
const (
	fewRandomObjects  = 40
	manyRandomObjects = 400
)

// everything selects all families there are, with all labels and annotations.
func everything(t testing.TB) Filter {
	t.Helper()
	every, err := ParseAllowlist([]string{"*=[*]"})
	if err != nil {
		t.Fatal(err)
	}
	f, err := NewFilter(Selection{OptIn: []string{"."}, Labels: every, Annotations: every})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestMaskKeepsWhatFamiliesRead renders random objects from all their bytes and
// from those that the mask leaves: a field that a family reads and that its
// kind does not name makes a difference. Every family must have written
// something, or it would not have been tested.
func TestMaskKeepsWhatFamiliesRead(t *testing.T) {
	for _, k := range All() {
		t.Run(k.Name(), func(t *testing.T) {
			r := mustRenderer(t, k, everything(t))
			objects := newRandomObjects(1)
			var cut, full Lines
			silent := map[string]bool{}
			for _, f := range r.Families() {
				silent[f.Name] = true
			}
			for i := 0; i < fewRandomObjects || i < manyRandomObjects && len(silent) > 0; i++ {
				raw := encodings(t, objects.next(t, k))
				for enc, bytes := range raw {
					enc := wire.Encoding(enc)
					if err := r.Render(enc, bytes, &cut); err != nil {
						t.Fatalf("%s: %v\n%s", enc, err, raw[wire.JSON])
					}
					renderUncut(t, r, enc, bytes, &full)
					if string(cut.Buf) != string(full.Buf) {
						t.Fatalf("%s: cut and full differ:\n%s", enc, firstDifference(string(cut.Buf), string(full.Buf)))
					}
					page := conformance.NewPage()
					if err := addLines(&page, r.Families(), cut); err != nil || len(page.Twice) > 0 {
						t.Fatalf("error %v, series twice: %v\n%s", err, page.Twice, raw[wire.JSON])
					}
					for name := range page.Types {
						delete(silent, name)
					}
				}
			}
			for name := range silent {
				t.Errorf("no object had a sample of %s", name)
			}
		})
	}
}

func firstDifference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return x[i] + "\n" + y[i]
		}
	}
	return "one ends before the other"
}

// TestRenderingIsDeterministic: an object's text is the same each time, though
// maps have no order.
func TestRenderingIsDeterministic(t *testing.T) {
	for _, k := range All() {
		r := mustRenderer(t, k, everything(t))
		objects := newRandomObjects(2)
		var first, again Lines
		for range 10 {
			raw := encodings(t, objects.next(t, k))[wire.Protobuf]
			for _, l := range []*Lines{&first, &again} {
				if err := r.Render(wire.Protobuf, raw, l); err != nil {
					t.Fatal(err)
				}
			}
			if string(first.Buf) != string(again.Buf) {
				t.Fatalf("%s: %s", k.Name(), firstDifference(string(first.Buf), string(again.Buf)))
			}
		}
	}
}

// TestLastAppliedIsNeverShown: the annotation holds whole objects, Secrets' values
// included.
func TestLastAppliedIsNeverShown(t *testing.T) {
	for _, k := range All() {
		r := mustRenderer(t, k, everything(t))
		objects := newRandomObjects(3)
		var l Lines
		for range 5 {
			o := objects.next(t, k)
			o.(metav1.Object).SetAnnotations(map[string]string{"a": "b", lastApplied: "whole"})
			for enc, raw := range encodings(t, o) {
				if err := r.Render(wire.Encoding(enc), raw, &l); err != nil {
					t.Fatal(err)
				}
				if strings.Contains(string(l.Buf), "annotation_"+labelName(lastApplied)) || strings.Contains(string(l.Buf), "whole") {
					t.Fatalf("%s: %s", k.Name(), l.Buf)
				}
			}
		}
	}
}
