package resources

import (
	"slices"
	"strings"
	"testing"

	"github.com/statefleet/statefleet/internal/testing/conformance"
)

// catalogued is one line of a catalogue.
type catalogued struct {
	resource, groupVersion, family, kind string
	labels                               []string // alternatives of comma-separated names
	stability                            string
	optIn, isDefault                     bool
	ksm                                  string // whether kube-state-metrics has the family
}

// readCatalogue reads testdata/catalogue.tsv, the families of kube-state-metrics, and testdata/beyond.tsv, the families
// that it does not have.
func readCatalogue(t testing.TB) []catalogued {
	t.Helper()
	var all []catalogued
	for _, file := range []string{"catalogue.tsv", "beyond.tsv"} {
		lines := strings.Split(strings.TrimSpace(string(readFile(t, "testdata/"+file))), "\n")
		for _, line := range lines[1:] {
			f := strings.Split(line, "\t")
			c := catalogued{
				resource: f[0], groupVersion: f[1], family: f[2], kind: f[3], labels: strings.Split(f[4], " | "),
				stability: f[5], optIn: f[6] == "yes", isDefault: f[7] == "yes", ksm: "yes",
			}
			if file == "beyond.tsv" {
				c.ksm = f[8]
			}
			all = append(all, c)
		}
	}
	return all
}

// Every kind has the families that the catalogues list, in the same order and with the same properties.
func TestFamiliesFollowCatalogue(t *testing.T) {
	byResource := map[string][]catalogued{}
	for _, c := range readCatalogue(t) {
		byResource[c.resource] = append(byResource[c.resource], c)
	}
	kinds := kindsByName()
	for resource := range kinds {
		if byResource[resource] == nil {
			t.Errorf("kind %s is in no catalogue", resource)
		}
	}
	for resource, listed := range byResource {
		k, ok := kinds[resource]
		if !ok {
			t.Errorf("kind %s is in a catalogue, but does not exist", resource)
			continue
		}
		var names, want []string
		for _, f := range k.Families() {
			names = append(names, f.Name)
		}
		for _, c := range listed {
			want = append(want, c.family)
		}
		if !slices.Equal(names, want) {
			t.Errorf("%s: got families\n%v, want\n%v", k.Name(), names, want)
			continue
		}
		for i, c := range listed {
			c.compare(t, k, k.Families()[i])
		}
	}
}

func (c catalogued) compare(t *testing.T, k Kind, f Family) {
	t.Helper()
	if gv := k.Resource.GroupVersion().String(); gv != c.groupVersion || k.Default != c.isDefault {
		t.Errorf("%s: got %s, default %v, want %s, %v", k.Name(), gv, k.Default, c.groupVersion, c.isDefault)
	}
	if got := textType(f); got != c.kind {
		t.Errorf("%s: got type %s, want %s", f.Name, got, c.kind)
	}
	if f.Stability.String() != c.stability || f.OptIn != c.optIn {
		t.Errorf("%s: got %s, opt-in %v, want %s, %v", f.Name, f.Stability, f.OptIn, c.stability, c.optIn)
	}
}

func textType(f Family) string {
	header := strings.Fields(string(f.TextHeader()))
	return header[len(header)-1]
}

func TestKindsAreSortedByName(t *testing.T) {
	if !slices.IsSortedFunc(All(), func(a, b Kind) int { return strings.Compare(a.Name(), b.Name()) }) {
		t.Error("All is not sorted by name")
	}
}

// The rendered labels of the fixtures' objects are those of the catalogue, in the same order.
func TestLabelsFollowCatalogue(t *testing.T) {
	labels := map[string][]string{}
	for _, c := range readCatalogue(t) {
		labels[c.family] = c.labels
	}
	checked := 0
	eachLine(t, func(line string) {
		family, names := readLabelNames(t, line)
		listed, ok := labels[family]
		if !ok {
			return
		}
		if !slices.ContainsFunc(listed, func(alternative string) bool { return isListed(names, alternative) }) {
			t.Fatalf("%s: got labels %v, want one of %v", family, names, listed)
		}
		checked++
	})
	if checked == 0 {
		t.Error("no line was checked")
	}
}

// readLabelNames returns the name of a line's family and the names of its labels.
func readLabelNames(t *testing.T, line string) (family string, names []string) {
	t.Helper()
	family, rest, _ := strings.Cut(line, "{")
	for !strings.HasPrefix(rest, "}") {
		name, after, _ := strings.Cut(rest, `="`)
		_, after, err := conformance.Unescape(after)
		if err != nil {
			t.Fatal(err)
		}
		rest = strings.TrimPrefix(after, ",")
		names = append(names, name)
	}
	return family, names
}

// isListed compares names with a list of the catalogue. The last entry of the list may stand for any number of labels
// with a prefix, such as label_*.
func isListed(names []string, list string) bool {
	want := strings.Split(list, ",")
	last := len(want) - 1
	prefix, open := strings.CutSuffix(want[last], "*")
	if !open {
		return slices.Equal(names, want)
	}
	return len(names) >= last && slices.Equal(names[:last], want[:last]) &&
		!slices.ContainsFunc(names[last:], func(name string) bool { return !strings.HasPrefix(name, prefix) })
}
