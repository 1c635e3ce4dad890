package customresource

import (
	"testing"
	"time"
)

// count returns the number of comparisons with a result, or of differences of a kind.
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

func (f *testWatcher) waitForCount(condition, label string) {
	f.t.Helper()
	f.waitFor(condition, func() bool { return f.count(label) > 0 })
}

// The server sends no events for definitions that are added, changed and deleted.
func TestCheckFindsDefinitionsThatWereLost(t *testing.T) {
	a, client := newAPI(t)
	a.put("a.example.com", "as", "A", "Namespaced", "v1")
	a.put("a.example.com", "bs", "B", "Namespaced", "v1")
	f := watchAndVerify(t, client, entryOf("*", "*", "", "x"), time.Millisecond)
	f.wantNext("as.v1.a.example.com namespaced, bs.v1.a.example.com namespaced")
	f.waitForCount("a check without differences", "equal")
	if n := f.count("repaired"); n > 0 {
		t.Errorf("got %v repairs of equal definitions, want 0", n)
	}
	a.set(func() { a.dropEvents = true })
	a.put("a.example.com", "cs", "C", "Cluster", "v1")
	f.wantNext("as.v1.a.example.com namespaced, bs.v1.a.example.com namespaced, cs.v1.a.example.com")
	a.put("a.example.com", "bs", "B", "Namespaced", "v2")
	f.wantNext("as.v1.a.example.com namespaced, bs.v2.a.example.com namespaced, cs.v1.a.example.com")
	f.waitForCount("a counted missing definition", "missing")
	a.remove("as.a.example.com")
	f.wantNext("bs.v2.a.example.com namespaced, cs.v1.a.example.com")
	f.waitForCount("a counted extra definition", "extra")
	a.set(func() { a.dropEvents = false })
	a.remove("cs.a.example.com")
	f.wantNext("bs.v2.a.example.com namespaced")
}

// A watch does not notice that the server restores older versions.
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
	f.waitForCount("a counted reset of versions", "versions_reset")
	a.put("a.example.com", "ds", "D", "Cluster", "v1")
	f.wantNext("as.v1.a.example.com namespaced, bs.v1.a.example.com namespaced, ds.v1.a.example.com")
}

// An unreadable definition is omitted. It must not count as a difference in any of the checks.
func TestUnreadableDefinitionIsNoDifference(t *testing.T) {
	a, client := newAPI(t)
	a.put("a.example.com", "as", "A", "Namespaced", "v1")
	a.set(func() {
		a.objects["bad"] = `{"metadata":{"name":"bad","uid":"bad","resourceVersion":"1"},"spec":"garbage"}`
	})
	f := watchAndVerify(t, client, entryOf("*", "*", "", "x"), time.Millisecond)
	f.wantNext("as.v1.a.example.com namespaced")
	f.waitForCount("a check without differences", "equal")
	if n := f.count("repaired"); n > 0 {
		t.Errorf("got %v repairs, want 0", n)
	}
}
