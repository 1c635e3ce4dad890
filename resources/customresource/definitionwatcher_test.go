package customresource

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/internal/wire"
)

// TestWatcherFollowsDefinitions that come, change and go.
func TestWatcherFollowsDefinitions(t *testing.T) {
	a, client := newAPI(t)
	a.put("a.example.com", "as", "A", "Namespaced", "v1")
	a.put("other.example.com", "others", "Other", "Cluster", "v1")
	f := follow(t, client, entryOf("*", "*", "", "x"))
	first := f.wantNext("as.v1.a.example.com namespaced")

	a.put("a.example.com", "bs", "B", "Cluster", "v1", "v2")
	second := f.wantNext("as.v1.a.example.com namespaced, bs.v1.a.example.com, bs.v2.a.example.com")
	if first[0] != second[0] {
		t.Error("what did not change is another Kind")
	}
	a.put("a.example.com", "bs", "B", "Cluster", "v2")
	third := f.wantNext("as.v1.a.example.com namespaced, bs.v2.a.example.com")
	if third[1] != second[2] {
		t.Error("what did not change is another Kind")
	}
	a.remove("as.a.example.com")
	f.wantNext("bs.v2.a.example.com")
	a.remove("bs.a.example.com")
	f.wantNext("")
	a.put("a.example.com", "as", "A", "Namespaced", "v1")
	again := f.wantNext("as.v1.a.example.com namespaced")
	if again[0] == first[0] {
		t.Error("what went and came again is the same Kind")
	}
	if n := len(f.changes); n > 0 {
		t.Errorf("%d changes more", n)
	}
}

// TestWatcherPublishesEvenWithoutKinds, so that its caller need not wait forever.
func TestWatcherPublishesEvenWithoutKinds(t *testing.T) {
	_, client := newAPI(t)
	f := follow(t, client, entryOf("v1", "A", "", "x"))
	f.wantNext("")
	f.waitFor("the log names what is left out", func() bool {
		return strings.Contains(f.log.String(), "a.example.com/v1 A")
	})
}

// TestWatcherIgnoresIrrelevantDefinitions: one change of a definition that
// counts is received, none of those before it.
func TestWatcherIgnoresIrrelevantDefinitions(t *testing.T) {
	a, client := newAPI(t)
	a.put("a.example.com", "as", "A", "Namespaced", "v1")
	f := follow(t, client, entryOf("v1", "*", "", "x"))
	f.wantNext("as.v1.a.example.com namespaced")
	a.put("a.example.com", "as", "A", "Namespaced", "v1", "v2")
	a.put("other.example.com", "others", "Other", "Namespaced", "v1")
	a.put("a.example.com", "bs", "B", "Namespaced", "v2")
	time.Sleep(2 * debounce) // they may count, and be found to change nothing
	a.put("a.example.com", "cs", "C", "Namespaced", "v1")
	f.wantNext("as.v1.a.example.com namespaced, cs.v1.a.example.com namespaced")
}

// TestWatcherWithoutPermission: entries that say all that is needed work when
// definitions may not be listed; the others follow once they may.
func TestWatcherWithoutPermission(t *testing.T) {
	a, client := newAPI(t)
	a.put("a.example.com", "bs", "B", "Namespaced", "v1")
	a.set(func() { a.forbidden = true })
	f := follow(t, client, entryOf("v1", "A", "resourcePlural: as", "x")+entryOf("*", "B", "", "y")+entryOf("v1", "C", "", "z"))
	f.wantNext("as.v1.a.example.com namespaced")
	f.waitFor("one line tells it", func() bool {
		log := f.log.String()
		return strings.Count(log, "can't be read; only") == 1 && strings.Contains(log, "a.example.com/* B") && strings.Contains(log, "a.example.com/v1 C")
	})
	a.set(func() { a.forbidden = false })
	f.wantNext("as.v1.a.example.com namespaced, bs.v1.a.example.com namespaced")
}

// TestWatcherDiscoversTheScope of resources without a definition.
func TestWatcherDiscoversTheScope(t *testing.T) {
	a, client := newAPI(t)
	a.discovery["/apis/a.example.com/v1"] = `{"kind":"APIResourceList","groupVersion":"a.example.com/v1","resources":[
		{"name":"as/status","namespaced":true,"kind":"A"},{"name":"as","namespaced":false,"kind":"A"}]}`
	f := follow(t, client, entryOf("v1", "A", "resourcePlural: as", "x")+entryOf("v1", "B", "resourcePlural: bs", "x"))
	f.wantNext("as.v1.a.example.com, bs.v1.a.example.com namespaced")
	asked := a.count("/apis/a.example.com/v1")
	a.put("a.example.com", "cs", "C", "Namespaced", "v1")
	a.put("a.example.com", "bs", "B", "Cluster", "v1")
	f.wantNext("as.v1.a.example.com, bs.v1.a.example.com")
	if again := a.count("/apis/a.example.com/v1"); again != asked {
		t.Errorf("asked %d times for what was known", again-asked)
	}
}

// TestDiscoveryRetries for what the API server did not know, and only for that, at growing intervals.
func TestDiscoveryRetries(t *testing.T) {
	a, client := newAPI(t)
	entries := mustParse(t, entryOf("v1", "A", "resourcePlural: as", "x")).entries
	s := newDiscovery(client, false)
	if d := s.find(t.Context(), entries); len(d) != 1 || !d[0].Namespaced {
		t.Errorf("got %v", d)
	}
	if now := time.Now(); s.due(now) || !s.due(now.Add(2*minRetry)) {
		t.Error("it is asked again at once, or never")
	}
	for _, bad := range []string{"", "no JSON", `{"resources":[{"name":"others"}]}`, `[]`} {
		a.set(func() { a.discovery["/apis/a.example.com/v1"] = bad })
		if d := s.find(t.Context(), entries); len(d) != 1 || !d[0].Namespaced {
			t.Errorf("%q: got %v", bad, d)
		}
	}
	if now := time.Now(); s.due(now.Add(8*minRetry)) || !s.due(now.Add(32*minRetry)) {
		t.Error("the interval does not grow")
	}
	for range 20 {
		s.find(t.Context(), entries)
	}
	if s.due(time.Now().Add(maxRetry/2)) || !s.due(time.Now().Add(2*maxRetry)) {
		t.Error("the interval is not bounded")
	}
	a.set(func() { a.discovery["/apis/a.example.com/v1"] = `{"resources":[{"name":"as"}]}` })
	if d := s.find(t.Context(), entries); len(d) != 1 || d[0].Namespaced || s.due(time.Now().Add(2*maxRetry)) {
		t.Errorf("got %v", d)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if d := newDiscovery(client, false).find(ctx, entries); len(d) != 1 || !slices.Equal(d[0].Versions, []string{"v1"}) {
		t.Errorf("got %v", d)
	}
}

// TestDefinitionsHandler: an unreadable definition is left out, and what a list
// does not have is gone.
func TestDefinitionsHandler(t *testing.T) {
	var log lockedBuffer
	s := newDefinitions(slog.New(slog.NewTextHandler(&log, nil)))
	put := func(name, raw string) {
		o := watch.Object{Raw: []byte(raw), Encoding: wire.JSON}
		o.Name = []byte(name)
		s.Put(o)
	}
	const good = `{"spec":{"group":"a.example.com","names":{"kind":"A","plural":"as"},"versions":[{"name":"v1","served":true}]}}`
	put("as", good)
	put("bs", strings.ReplaceAll(good, `"as"`, `"bs"`))
	all, generation := s.snapshot()
	if len(all) != 2 || all[0].Plural != "as" || generation != 2 {
		t.Fatalf("got %v, %d", all, generation)
	}
	put("as", good)
	if s.state().generation != generation {
		t.Error("the same definition counts as a change")
	}
	put("as", "garbage")
	if all, _ := s.snapshot(); len(all) != 1 || all[0].Plural != "bs" || !strings.Contains(log.String(), "unreadable") {
		t.Errorf("got %v", all)
	}
	s.Replace([]watch.ObjectRef{{Name: "as"}}, "")
	if all, _ := s.snapshot(); len(all) != 0 {
		t.Errorf("got %v", all)
	}
}

const (
	coreResources = `{"resources":[{"name":"pods/status","kind":"Pod","namespaced":true,"verbs":["get"]},
		{"name":"pods","kind":"Pod","namespaced":true,"verbs":["get","list","watch"]},
		{"name":"nodes","kind":"Node","verbs":["list","watch"]},{"name":"bindings","kind":"Binding","namespaced":true,"verbs":["create"]}]}`
	aggregatedResources = `{"resources":[{"name":"geese","kind":"Goose","verbs":["get","list"]},{"name":"geese-v","kind":"Goose","verbs":["list","watch"]}]}`
)

// TestWatcherDiscoversKindsWithoutDefinitions: plural and scope are those of the API server, of the core group and of
// others. A kind that is not there comes when it is; one that cannot be watched is named. Each version is asked for
// once at a time.
func TestWatcherDiscoversKindsWithoutDefinitions(t *testing.T) {
	a, client := newAPI(t)
	a.discovery["/api/v1"] = coreResources
	a.forbidden = true
	a.put("b.example.com", "bs", "B", "Namespaced", "v1")
	named := func(name string) string { return strings.Replace(size, "name: size", "name: "+name, 1) }
	f := follow(t, client, entryFor(podGVK, "labelSelector: a", named("a"))+entryFor(podGVK, "", named("b"))+
		entryFor(`{group: "", version: v1, kind: Node}`, "", named("c"))+entryFor(`{group: "", version: v1, kind: Binding}`, "", named("d"))+
		entryFor("{group: a.example.com, version: v1, kind: Goose}", "", named("e"))+
		entryFor("{group: b.example.com, version: v1, kind: '*'}", "", named("f")))
	kinds := f.wantNext("nodes.v1, pods.v1 namespaced, pods.v1:2 namespaced")
	if n := a.count("/api/v1"); n != 1 {
		t.Errorf("/api/v1 was asked for %d times", n)
	}
	if kinds[1].LabelSelector != "a" || kinds[2].LabelSelector != "" || kinds[1].Resource != kinds[2].Resource {
		t.Errorf("got %+v", kinds)
	}
	a.set(func() { a.discovery["/apis/a.example.com/v1"] = aggregatedResources })
	again := f.wantNext("geese-v.v1.a.example.com, nodes.v1, pods.v1 namespaced, pods.v1:2 namespaced")
	if again[2] != kinds[1] || again[3] != kinds[2] {
		t.Error("what did not change is another Kind")
	}
	for _, want := range []string{
		"can't be read; only", `left_out="[v1 Binding a.example.com/v1 Goose b.example.com/v1 *]"`, `kinds="[v1 Binding]"`,
	} {
		if !strings.Contains(f.log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, f.log)
		}
	}
	// What is installed later has a definition.
	a.set(func() { a.forbidden = false })
	f.wantNext("bs.v1.b.example.com namespaced, geese-v.v1.a.example.com, nodes.v1, pods.v1 namespaced, pods.v1:2 namespaced")
}

// TestPluralOfTheConfigurationWins over discovery, which says the scope only.
func TestPluralOfTheConfigurationWins(t *testing.T) {
	a, client := newAPI(t)
	a.discovery["/apis/a.example.com/v1"] = aggregatedResources
	entries := mustParse(t, entryFor("{group: a.example.com, version: v1, kind: Goose}", "", size)+
		entryFor("{group: a.example.com, version: v1, kind: Goose}", "resourcePlural: geese", size)).entries
	if got := newDiscovery(client, false).find(t.Context(), entries); len(got) != 1 || got[0].Plural != "geese" || got[0].Namespaced {
		t.Errorf("got %+v", got)
	}
}

// TestStrictReadingNeedsAPluralOrADefinition, as kube-state-metrics does.
func TestStrictReadingNeedsAPluralOrADefinition(t *testing.T) {
	a, client := newAPI(t)
	a.discovery["/apis/a.example.com/v1"] = aggregatedResources
	for more, want := range map[string]int{"": 0, "resourcePlural: geese": 1} {
		config, err := ParseStrict(strings.NewReader("kind: CustomResourceStateMetrics\n" + entryFor("{group: a.example.com, version: v1, kind: Goose}", more, size)))
		if err != nil {
			t.Fatal(err)
		}
		d := newDiscovery(client, config.strict)
		if got := d.find(t.Context(), config.entries); len(got) != want || d.due(time.Now().Add(2*maxRetry)) {
			t.Errorf("%q: got %+v", more, got)
		}
	}
	if n := a.count("/apis/a.example.com/v1"); n != 1 {
		t.Errorf("asked %d times, want once, for the scope", n)
	}
}
