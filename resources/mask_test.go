package resources

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/internal/testing/conformance"
	"github.com/statefleet/statefleet/internal/wire"
)

// At least fewRandomObjects of each kind are rendered. If a family has no sample after that, up to manyRandomObjects
// are rendered.
const (
	fewRandomObjects  = 40
	manyRandomObjects = 400
)

// everything returns a filter that selects all families, with all labels and annotations.
func everything(t testing.TB) Filter {
	t.Helper()
	all, err := ParseAllowlist([]string{"*=[*]"})
	if err != nil {
		t.Fatal(err)
	}
	f, err := NewFilter(Selection{OptIn: []string{"."}, Labels: all, Annotations: all})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestMaskKeepsWhatFamiliesRead renders random objects with and without the mask. The lines differ if a family reads a
// field that its kind does not declare. Every family must give a sample: otherwise it would not have been tested.
func TestMaskKeepsWhatFamiliesRead(t *testing.T) {
	for _, k := range All() {
		t.Run(k.Name(), func(t *testing.T) {
			r := mustRenderer(t, k, everything(t))
			objects := newRandomObjects(1)
			var cut, full Lines
			untested := map[string]bool{} // families without a sample
			for _, f := range r.Families() {
				untested[f.Name] = true
			}
			for i := 0; i < fewRandomObjects || i < manyRandomObjects && len(untested) > 0; i++ {
				raw := encodings(t, objects.next(t, k))
				for enc, bytes := range raw {
					enc := wire.Encoding(enc)
					if err := r.Render(enc, bytes, &cut); err != nil {
						t.Fatalf("%s: %v\n%s", enc, err, raw[wire.JSON])
					}
					renderUncut(t, r, enc, bytes, &full)
					if string(cut.Buf) != string(full.Buf) {
						t.Fatalf("%s: masked and complete object differ:\n%s", enc, firstDifference(string(cut.Buf), string(full.Buf)))
					}
					page := conformance.NewExposition()
					if err := addLines(&page, r.Families(), cut); err != nil || len(page.Twice) > 0 {
						t.Fatalf("error %v, duplicate series %v\n%s", err, page.Twice, raw[wire.JSON])
					}
					for name := range page.Types {
						delete(untested, name)
					}
				}
			}
			for name := range untested {
				t.Errorf("no object had a sample of %s", name)
			}
		})
	}
}

// An object gives the same lines with and without the mask. It is a random object, by seed, with the fuzzer's bytes
// decoded on top of it.
func FuzzPrunedRender(f *testing.F) {
	kinds := All()
	names := map[string]int{}
	var renderers []*Renderer
	for i, k := range kinds {
		names[k.Name()] = i
		renderers = append(renderers, mustRenderer(f, k, everything(f)))
		f.Add(uint8(i), int64(i), []byte{})
	}
	for _, fixture := range readFixtures(f) {
		for _, o := range fixture.objects[:1] {
			f.Add(uint8(names[o.resource]), int64(0), o.raw[wire.Protobuf])
		}
	}
	f.Fuzz(func(t *testing.T, kind uint8, seed int64, raw []byte) {
		i := int(kind) % len(kinds)
		object := newRandomObjects(seed).next(t, kinds[i])
		if object.(interface{ Unmarshal([]byte) error }).Unmarshal(raw) != nil {
			return
		}
		checkPruned(t, renderers[i], object)
	})
}

// checkPruned compares the lines of an object with and without the mask, in both encodings.
func checkPruned(t *testing.T, r *Renderer, object apiObject) {
	t.Helper()
	var full, cut Lines
	for _, enc := range []wire.Encoding{wire.Protobuf, wire.JSON} {
		raw, err := object.Marshal()
		if enc == wire.JSON {
			raw, err = json.Marshal(object)
		}
		if err != nil {
			continue // the object cannot be encoded, for example because of a year that JSON does not allow
		}
		full.Reset()
		if err := r.render(enc, raw, &scratch{out: SampleWriter{lines: &full}}); err != nil {
			continue // the decoder is stricter than the encoder
		}
		if err := r.Render(enc, raw, &cut); err != nil {
			t.Fatalf("%s: the complete object can be decoded, but not the masked one: %v", enc, err)
		}
		if string(cut.Buf) != string(full.Buf) || cut.Skipped != full.Skipped || !slices.Equal(cut.Ends, full.Ends) {
			t.Fatalf("%s: masked and complete object differ:\n%s", enc, firstDifference(string(cut.Buf), string(full.Buf)))
		}
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

// An object is always rendered to the same text, although maps have no order.
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
				t.Fatalf("%s: two renderings differ:\n%s", k.Name(), firstDifference(string(first.Buf), string(again.Buf)))
			}
		}
	}
}

// The annotation holds the whole object, including values of Secrets.
func TestLastAppliedIsNeverShown(t *testing.T) {
	others := 0 // lines with the other annotation
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
				if strings.Contains(string(l.Buf), labelName("annotation_", lastApplied)) || strings.Contains(string(l.Buf), "whole") {
					t.Fatalf("%s: the lines contain the annotation:\n%s", k.Name(), l.Buf)
				}
				others += strings.Count(string(l.Buf), `annotation_a="b"`)
			}
		}
	}
	if others == 0 {
		t.Error("no annotation was rendered")
	}
}
