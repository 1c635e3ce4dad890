package resources

import (
	"slices"
	"strings"
	"testing"

	"github.com/statefleet/statefleet/internal/wire"
)

// only returns a filter that selects one family.
func only(t testing.TB, name string) Filter {
	t.Helper()
	pattern := "^" + name + "$"
	f, err := NewFilter(Selection{Allow: []string{pattern}, OptIn: []string{pattern}})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// The fields that a family declares to read must suffice, even if no other family that reads the same fields is
// enabled.
func TestEachOptInFamilyReadsItsFields(t *testing.T) {
	byKind := map[string][][]byte{}
	for _, fixture := range readFixtures(t) {
		for _, o := range fixture.objects {
			byKind[o.resource] = append(byKind[o.resource], o.raw[wire.Protobuf])
		}
	}
	for _, k := range All() {
		objects := newRandomObjects(1)
		for range fewRandomObjects {
			byKind[k.Name()] = append(byKind[k.Name()], encodings(t, objects.next(t, k))[wire.Protobuf])
		}
		for _, f := range k.Families() {
			if !f.OptIn {
				continue
			}
			r := mustRenderer(t, k, only(t, f.Name))
			samples := 0
			for _, raw := range byKind[k.Name()] {
				var cut, full Lines
				if err := r.Render(wire.Protobuf, raw, &cut); err != nil {
					t.Fatal(err)
				}
				renderUncut(t, r, wire.Protobuf, raw, &full)
				if string(cut.Buf) != string(full.Buf) {
					t.Fatalf("%s: masked and complete object differ:\n%s", f.Name, firstDifference(string(cut.Buf), string(full.Buf)))
				}
				samples += len(cut.Buf)
			}
			if samples == 0 {
				t.Errorf("no object had a sample of %s", f.Name)
			}
		}
	}
}

// The fields that only an opt-in family reads are cut until the family is enabled. Then the fixtures' objects take more
// bytes.
func TestOptInFamiliesCostNothingWhileDisabled(t *testing.T) {
	// Families that are enabled by default read the fields of these as well.
	readNothingMore := []string{
		"kube_cronjob_spec_time_zone_info",
		"kube_job_status_condition",
		"kube_pod_status_conditions",
		"kube_pod_status_resize",
	}
	fixtures := readFixtures(t)
	kept := func(k Kind, f Filter) (n int) {
		mask := mustRenderer(t, k, f).Mask()
		for _, fixture := range fixtures {
			for _, o := range fixture.objects {
				if o.resource != k.Name() {
					continue
				}
				cut, err := mask.Append(nil, wire.Protobuf, o.raw[wire.Protobuf])
				if err != nil {
					t.Fatal(err)
				}
				n += len(cut)
			}
		}
		return n
	}
	for _, k := range All() {
		byDefault := -1
		for _, f := range k.Families() {
			if !f.OptIn {
				continue
			}
			if byDefault < 0 {
				byDefault = kept(k, Filter{})
			}
			enabled, err := NewFilter(Selection{OptIn: []string{"^" + f.Name + "$"}})
			if err != nil {
				t.Fatal(err)
			}
			if more := kept(k, enabled) > byDefault; more == slices.Contains(readNothingMore, f.Name) {
				t.Errorf("%s: more bytes are kept once it is enabled: %t, want %t", f.Name, more, !more)
			}
		}
	}
}

// rendersOptIn is rendersAs for families that are off by default.
func rendersOptIn(t *testing.T, k Kind, family, object, want string, wantSkipped int) {
	t.Helper()
	var l Lines
	if err := mustRenderer(t, k, only(t, family)).Render(wire.JSON, []byte(object), &l); err != nil {
		t.Errorf("%s: %v", object, err)
		return
	}
	if want = strings.TrimLeft(want, "\n"); string(l.Buf) != want || l.Skipped != wantSkipped || len(l.Failed) > 0 {
		t.Errorf("%s\ngot:\n%s\nwant:\n%s\n%d skipped, want %d, failed %v", object, l.Buf, want, l.Skipped, wantSkipped, l.Failed)
	}
}
