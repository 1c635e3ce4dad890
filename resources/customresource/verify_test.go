package customresource

import (
	"testing"
	"time"
)

// count is the number of comparisons with a result, or of differences of a kind.
func (f *testWatcher) count(label string) (sum float64) {
	f.t.Helper()
	families, err := f.checks.Gather()
	if err != nil {
		f.t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if labels := m.GetLabel(); labels[0].GetValue() == label || labels[1].GetValue() == label {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

func (f *testWatcher) waitForCount(what, label string) {
	f.t.Helper()
	f.waitFor(what, func() bool { return f.count(label) > 0 })
}

// TestCheckFindsDefinitionsThatWereLost: events of definitions that came, changed and
// went did not come.
func TestCheckFindsDefinitionsThatWereLost(t *testing.T) {
	a, client := newAPI(t)
	a.put("a.example.com", "as", "A", "Namespaced", "v1")
	a.put("a.example.com", "bs", "B", "Namespaced", "v1")
	f := watchAndVerify(t, client, entryOf("*", "*", "", "x"), time.Millisecond)
	f.wantNext("as.v1.a.example.com namespaced, bs.v1.a.example.com namespaced")
	f.waitForCount("a check that finds nothing", "equal")
	if n := f.count("repaired"); n > 0 {
		t.Errorf("%v repairs of what is right", n)
	}
	a.set(func() { a.losing = true })
	a.put("a.example.com", "cs", "C", "Cluster", "v1")
	f.wantNext("as.v1.a.example.com namespaced, bs.v1.a.example.com namespaced, cs.v1.a.example.com")
	a.put("a.example.com", "bs", "B", "Namespaced", "v2")
	f.wantNext("as.v1.a.example.com namespaced, bs.v2.a.example.com namespaced, cs.v1.a.example.com")
	f.waitForCount("what was missing", "missing")
	a.remove("as.a.example.com")
	f.wantNext("bs.v2.a.example.com namespaced, cs.v1.a.example.com")
	f.waitForCount("what was gone", "extra")
	a.set(func() { a.losing = false })
	a.remove("cs.a.example.com")
	f.wantNext("bs.v2.a.example.com namespaced")
}

// TestDefinitionsFollowARestoredBackup, of whose versions watches know nothing.
func TestDefinitionsFollowARestoredBackup(t *testing.T) {
	a, client := newAPI(t)
	a.put("a.example.com", "as", "A", "Namespaced", "v1")
	a.put("a.example.com", "bs", "B", "Namespaced", "v1")
	restore := a.backup()
	a.remove("as.a.example.com")
	a.put("a.example.com", "bs", "B", "Namespaced", "v2")
	a.put("a.example.com", "cs", "C", "Cluster", "v1")
	f := watchAndVerify(t, client, entryOf("*", "*", "", "x"), time.Millisecond)
	f.wantNext("bs.v2.a.example.com namespaced, cs.v1.a.example.com")
	restore()
	f.wantNext("as.v1.a.example.com namespaced, bs.v1.a.example.com namespaced")
	f.waitForCount("counted", "versions_reset")
	a.put("a.example.com", "ds", "D", "Cluster", "v1")
	f.wantNext("as.v1.a.example.com namespaced, bs.v1.a.example.com namespaced, ds.v1.a.example.com")
}

// TestUnreadableDefinitionIsNoDifference: it is left out, and is so however often it
// is listed.
func TestUnreadableDefinitionIsNoDifference(t *testing.T) {
	a, client := newAPI(t)
	a.put("a.example.com", "as", "A", "Namespaced", "v1")
	a.set(func() {
		a.objects["bad"] = `{"metadata":{"name":"bad","uid":"bad","resourceVersion":"1"},"spec":"garbage"}`
	})
	f := watchAndVerify(t, client, entryOf("*", "*", "", "x"), time.Millisecond)
	f.wantNext("as.v1.a.example.com namespaced")
	f.waitForCount("a check that finds nothing", "equal")
	if n := f.count("repaired"); n > 0 {
		t.Errorf("listed again %v times", n)
	}
}
