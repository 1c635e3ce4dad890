package resources

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/statefleet/statefleet/internal/testing/conformance"
)

func TestLabelName(t *testing.T) {
	f := func(key, want string) {
		t.Helper()
		if got := labelName("label_", key); got != "label_"+want {
			t.Errorf("labelName(label_, %s) = %s, want label_%s", key, got, want)
		}
	}
	f("app", "app")
	f("app.kubernetes.io/name", "app_kubernetes_io_name")
	f("camelCase", "camel_case")
	f("CamelCase", "camel_case")
	f("HTTPServer", "httpserver")
	f("a1B2", "a1_b2")
	f("with-Dash", "with_dash")
	f("ümläut", "_ml_ut")
	f("", "")
}

// entriesOf returns the labels that SampleWriter.mapSample writes for values, in order.
func entriesOf(t testing.TB, values map[string]string) (names, pairs []string) {
	t.Helper()
	text, _ := written(func(w *SampleWriter) { w.mapSample("label_", values, func(string) bool { return true }) })
	_, rest, _ := strings.Cut(text, `id="x"`)
	for strings.HasPrefix(rest, ",") {
		name, after, _ := strings.Cut(rest[1:], `="`)
		value, after, err := conformance.Unescape(after)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		names, pairs = append(names, name), append(pairs, name+"="+value)
		rest = after
	}
	return names, pairs
}

func TestEntries(t *testing.T) {
	f := func(keys string, want ...string) {
		t.Helper()
		values := map[string]string{}
		for _, key := range strings.Fields(keys) {
			values[key] = key
		}
		if _, got := entriesOf(t, values); !slices.Equal(got, want) {
			t.Errorf("%s: got labels %v, want %v", keys, got, want)
		}
	}
	f("")
	f("b a", "label_a=a", "label_b=b")
	f("a-b a_b", "label_a_b_conflict1=a-b", "label_a_b_conflict2=a_b")
	f("a-b a.b a_b", "label_a_b_conflict1=a-b", "label_a_b_conflict2=a.b", "label_a_b_conflict3=a_b")
	f("a-b a_b c", "label_a_b_conflict1=a-b", "label_a_b_conflict2=a_b", "label_c=c")
	// A key that looks like the name of a conflict conflicts with it.
	f("a-b a.b a_b_conflict1", "label_a_b_conflict1_conflict1=a-b", "label_a_b_conflict2=a.b", "label_a_b_conflict1_conflict2=a_b_conflict1")
	// If it comes first, it keeps the name, and the number is skipped.
	f("A.b.conflict1 a-b a.b", "label_a_b_conflict1=A.b.conflict1", "label_a_b_conflict2=a-b", "label_a_b_conflict3=a.b")
	f(lastApplied+" a", "label_a=a")
}

// Every key gives a valid label name, and different keys give different names.
func FuzzLabelName(f *testing.F) {
	f.Add("app", "App", "a_conflict1")
	f.Add("a-b", "a.b", "a_b_conflict2")
	f.Add("ü", "é", "_")
	f.Add("\xff", "", "1a")
	valid := regexp.MustCompile(`^label_[a-z0-9_]*$`)
	f.Fuzz(func(t *testing.T, a, b, c string) {
		values := map[string]string{a: "1", b: "2", c: "3"}
		delete(values, lastApplied)
		names, _ := entriesOf(t, values)
		if len(names) != len(values) {
			t.Fatalf("got %d names for %d keys", len(names), len(values))
		}
		slices.Sort(names)
		if len(slices.Compact(names)) != len(values) {
			t.Fatalf("got a duplicate name in %q", names)
		}
		for _, name := range names {
			if !valid.MatchString(name) {
				t.Fatalf("got invalid name %q for the keys of %q", name, values)
			}
		}
	})
}
