package resources

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/statefleet/statefleet/internal/testing/conformance"
	"github.com/statefleet/statefleet/internal/wire"
)

// Only the decoder allocates memory for a rendered pod, except for the seconds of its two tolerations. Labels that are
// copied from a map need memory, too, but are not exported by default.
func TestPodFamiliesAllocateNothing(t *testing.T) {
	const tolerated = 2
	p := typicalPod(t)
	families := slices.Concat(podContainers().families(), podInitContainers().families(),
		podSpecFamilies(), podStatusFamilies(), podPlacementFamilies(), podBeyondFamilies())
	families = slices.DeleteFunc(families, func(f family[corev1.Pod]) bool { return f.Name == "kube_pod_nodeselectors" })
	var l Lines
	w := SampleWriter{lines: &l}
	got := testing.AllocsPerRun(100, func() {
		l.Reset()
		w.setIdentity("namespace", p.Namespace, "pod", p.Name)
		for _, f := range families {
			w.beginFamily(f.Name)
			f.write(p, &w)
		}
	})
	if got > tolerated {
		t.Errorf("%v allocations, want at most %d", got, tolerated)
	}
}

// An object that is decoded into the memory of another one gives the same lines as without reuse.
func TestReuseLeavesNothingBehind(t *testing.T) {
	for _, k := range All() {
		objects := newRandomObjects(7)
		shared := mustRenderer(t, k, everything(t))
		var got, want Lines
		for range 15 {
			raw := encodings(t, objects.next(t, k))
			for _, enc := range []wire.Encoding{wire.Protobuf, wire.JSON} {
				if err := shared.Render(enc, raw[enc], &got); err != nil {
					t.Fatal(err)
				}
				if err := mustRenderer(t, k, everything(t)).Render(enc, raw[enc], &want); err != nil {
					t.Fatal(err)
				}
				if string(got.Buf) != string(want.Buf) {
					t.Fatalf("%s, %s: lines with and without reuse differ:\n%s", k.Name(), enc, firstDifference(string(got.Buf), string(want.Buf)))
				}
			}
		}
	}
}

// The kept memory refers to nothing.
func TestReusedPodIsEmpty(t *testing.T) {
	p := typicalPod(t)
	reusePod(p)
	if p.Size() != (&corev1.Pod{}).Size() || p.Name != "" {
		t.Errorf("got pod %v, want an empty one", p)
	}
	volumes := p.Spec.Volumes[:cap(p.Spec.Volumes)]
	if len(volumes) == 0 {
		t.Error("no memory is kept")
	}
	for i := range volumes {
		if !reflect.ValueOf(volumes[i]).IsZero() {
			t.Errorf("kept volume %d: got %v, want an empty one", i, volumes[i])
		}
	}
}

// Beyond the lines that are compared one by one, each series is still written once, including those at the beginning of
// the list.
func TestLongListsHaveNoRepetitions(t *testing.T) {
	const distinct = 5000
	var p corev1.Pod
	for i := range 2 * distinct {
		p.Spec.Tolerations = append(p.Spec.Tolerations, corev1.Toleration{Key: strconv.Itoa(i % distinct)})
	}
	raw, err := p.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	filter, err := NewFilter(Selection{Allow: []string{"tolerations|service_account"}})
	if err != nil {
		t.Fatal(err)
	}
	r := mustRenderer(t, pods(), filter)
	var l Lines
	for range 2 { // each object starts with an empty index
		if err := r.Render(wire.Protobuf, raw, &l); err != nil {
			t.Fatal(err)
		}
		page := conformance.NewExposition()
		if err := addLines(&page, r.Families(), l); err != nil {
			t.Fatal(err)
		}
		if len(page.Twice) > 0 || len(page.Values) != distinct+1 || l.Skipped != 0 {
			t.Errorf("got %d series and %d skipped of %d tolerations, duplicates %v", len(page.Values), l.Skipped, 2*distinct, page.Twice)
		}
	}
}

// UniqueSample considers the lines that Sample wrote.
func TestLongListsMixSampleAndUniqueSample(t *testing.T) {
	text, skipped := written(func(w *SampleWriter) {
		for i := range 1000 {
			w.Sample(1, "a", strconv.Itoa(i))
		}
		for i := range 1001 {
			w.UniqueSample(2, "a", strconv.Itoa(i))
		}
	})
	if skipped != 1000 || strings.Count(text, "\n") != 1001 {
		t.Errorf("got %d skipped and %d lines, want 1000 and 1001", skipped, strings.Count(text, "\n"))
	}
}
