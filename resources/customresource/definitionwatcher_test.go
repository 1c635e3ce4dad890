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

func TestWatcherFollowsDefinitions(t *testing.T) {
	a, client := newAPI(t)
	a.put("a.example.com", "as", "A", "Namespaced", "v1")
	a.put("other.example.com", "others", "Other", "Cluster", "v1")
	f := startWatcher(t, client, entryOf("*", "*", "", "x"))
	first := f.wantNext("as.v1.a.example.com namespaced")

	a.put("a.example.com", "bs", "B", "Cluster", "v1", "v2")
	second := f.wantNext("as.v1.a.example.com namespaced, bs.v1.a.example.com, bs.v2.a.example.com")
	if first[0] != second[0] {
		t.Error("an unchanged Kind was replaced, want the same pointer")
	}
	a.put("a.example.com", "bs", "B", "Cluster", "v2")
	third := f.wantNext("as.v1.a.example.com namespaced, bs.v2.a.example.com")
	if third[1] != second[2] {
		t.Error("an unchanged Kind was replaced, want the same pointer")
	}
	a.remove("as.a.example.com")
	f.wantNext("bs.v2.a.example.com")
	a.remove("bs.a.example.com")
	f.wantNext("")
	a.put("a.example.com", "as", "A", "Namespaced", "v1")
	again := f.wantNext("as.v1.a.example.com namespaced")
	if again[0] == first[0] {
		t.Error("a definition that was deleted and created again has the same Kind, want a new one")
	}
	if n := len(f.changes); n > 0 {
		t.Errorf("got %d more changes, want 0", n)
	}
}

// The caller must not wait forever.
func TestWatcherPublishesEvenWithoutKinds(t *testing.T) {
	_, client := newAPI(t)
	f := startWatcher(t, client, entryOf("v1", "A", "", "x"))
	f.wantNext("")
	f.waitFor("a log line that names the entry without kinds", func() bool {
		return strings.Contains(f.log.String(), "a.example.com/v1 A")
	})
}

// The watcher publishes one change for the relevant definition, and none for those before it.
func TestWatcherIgnoresIrrelevantDefinitions(t *testing.T) {
	a, client := newAPI(t)
	a.put("a.example.com", "as", "A", "Namespaced", "v1")
	f := startWatcher(t, client, entryOf("v1", "*", "", "x"))
	f.wantNext("as.v1.a.example.com namespaced")
	a.put("a.example.com", "as", "A", "Namespaced", "v1", "v2")
	a.put("other.example.com", "others", "Other", "Namespaced", "v1")
	a.put("a.example.com", "bs", "B", "Namespaced", "v2")
	time.Sleep(2 * debounce) // the watcher may process these, but must not publish anything
	a.put("a.example.com", "cs", "C", "Namespaced", "v1")
	f.wantNext("as.v1.a.example.com namespaced, cs.v1.a.example.com namespaced")
}

// Complete entries work even if the watcher may not list definitions. The other entries follow as soon as it may.
func TestWatcherWithoutPermission(t *testing.T) {
	a, client := newAPI(t)
	a.put("a.example.com", "bs", "B", "Namespaced", "v1")
	a.set(func() { a.forbidden = true })
	f := startWatcher(t, client, entryOf("v1", "A", "resourcePlural: as", "x")+entryOf("*", "B", "", "y")+entryOf("v1", "C", "", "z"))
	f.wantNext("as.v1.a.example.com namespaced")
	f.waitFor("one log line about the incomplete entries", func() bool {
		log := f.log.String()
		return strings.Count(log, "can't be read; only") == 1 && strings.Contains(log, "a.example.com/* B") && strings.Contains(log, "a.example.com/v1 C")
	})
	a.set(func() { a.forbidden = false })
	f.wantNext("as.v1.a.example.com namespaced, bs.v1.a.example.com namespaced")
}

// An API server that has just started refuses allowed requests. Without the kinds of the definitions, the exporter would
// become ready with an incomplete exposition.
func TestFirstKindsIncludeDefinitionsThatAreForbiddenForAMoment(t *testing.T) {
	a, client := newAPI(t)
	a.put("a.example.com", "as", "A", "Namespaced", "v1")
	a.set(func() { a.forbidden = true })
	f := runWatcher(t, client, entryOf("v1", "A", "", "x"), 0, time.Hour)
	f.waitFor("the phase forbidden", func() bool { return f.Status().Phase == watch.Forbidden })
	a.set(func() { a.forbidden = false })
	f.wantNext("as.v1.a.example.com namespaced")
}

// A failed request of discovery does not mean that the API server does not have a kind.
func TestFirstKindsWaitForDiscovery(t *testing.T) {
	a, client := newAPI(t)
	a.discovery["/api/v1"] = "no JSON"
	f := runWatcher(t, client, entryFor(podGVK, "", size), 0, time.Hour)
	f.waitFor("a request", func() bool { return a.requestsTo("/api/v1") > 0 })
	a.set(func() { a.discovery["/api/v1"] = coreResources })
	f.wantNext("pods.v1 namespaced")
}

// An API whose server is away does not delay the other kinds for longer than the grace period.
func TestKindsThatCannotBeDiscoveredAreLeftOut(t *testing.T) {
	a, client := newAPI(t)
	a.discovery["/api/v1"] = "no JSON"
	a.put("a.example.com", "as", "A", "Namespaced", "v1")
	f := startWatcher(t, client, entryFor(podGVK, "", size)+entryOf("v1", "A", "", "x"))
	f.wantNext("as.v1.a.example.com namespaced")
}

// The scope of a resource without a definition comes from discovery.
func TestWatcherDiscoversTheScope(t *testing.T) {
	a, client := newAPI(t)
	a.discovery["/apis/a.example.com/v1"] = `{"kind":"APIResourceList","groupVersion":"a.example.com/v1","resources":[
		{"name":"as/status","namespaced":true,"kind":"A"},{"name":"as","namespaced":false,"kind":"A"}]}`
	f := startWatcher(t, client, entryOf("v1", "A", "resourcePlural: as", "x")+entryOf("v1", "B", "resourcePlural: bs", "x"))
	f.wantNext("as.v1.a.example.com, bs.v1.a.example.com namespaced")
	before := a.requestsTo("/apis/a.example.com/v1")
	a.put("a.example.com", "cs", "C", "Namespaced", "v1")
	a.put("a.example.com", "bs", "B", "Cluster", "v1")
	f.wantNext("as.v1.a.example.com, bs.v1.a.example.com")
	if after := a.requestsTo("/apis/a.example.com/v1"); after != before {
		t.Errorf("got %d more requests for known resources, want 0", after-before)
	}
}

// Discovery requests only unknown resources again, at growing intervals.
func TestDiscoveryRetries(t *testing.T) {
	a, client := newAPI(t)
	entries := mustParse(t, entryOf("v1", "A", "resourcePlural: as", "x")).entries
	s := newDiscovery(client, false)
	if d := s.find(t.Context(), entries); len(d) != 1 || !d[0].Namespaced {
		t.Errorf("got %v, want one namespaced definition", d)
	}
	if now := time.Now(); s.due(now) || !s.due(now.Add(2*minRetry)) {
		t.Errorf("a retry is due at once, or not after %v", 2*minRetry)
	}
	for _, bad := range []string{"", "no JSON", `{"resources":[{"name":"others"}]}`, `[]`} {
		a.set(func() { a.discovery["/apis/a.example.com/v1"] = bad })
		if d := s.find(t.Context(), entries); len(d) != 1 || !d[0].Namespaced {
			t.Errorf("%q: got %v, want one namespaced definition", bad, d)
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
		t.Errorf("got %v, want one cluster-scoped definition and no retry", d)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if d := newDiscovery(client, false).find(ctx, entries); len(d) != 1 || !slices.Equal(d[0].Versions, []string{"v1"}) {
		t.Errorf("with a cancelled context: got %v, want one definition of version v1", d)
	}
}

// An unreadable definition is omitted. A definition that a list does not contain is removed.
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
		t.Fatalf("got %v, generation %d, want as and bs, generation 2", all, generation)
	}
	put("as", good)
	if s.state().generation != generation {
		t.Error("an unchanged definition counts as a change")
	}
	put("as", "garbage")
	if all, _ := s.snapshot(); len(all) != 1 || all[0].Plural != "bs" || !strings.Contains(log.String(), "unreadable") {
		t.Errorf("after an unreadable definition: got %v and the log %s, want bs and a log line", all, log.String())
	}
	s.Replace([]watch.ObjectRef{{Name: "as"}}, "")
	if all, _ := s.snapshot(); len(all) != 0 {
		t.Errorf("after Replace: got %v, want none", all)
	}
}

const (
	coreResources = `{"resources":[{"name":"pods/status","kind":"Pod","namespaced":true,"verbs":["get"]},
		{"name":"pods","kind":"Pod","namespaced":true,"verbs":["get","list","watch"]},
		{"name":"nodes","kind":"Node","verbs":["list","watch"]},{"name":"bindings","kind":"Binding","namespaced":true,"verbs":["create"]}]}`
	aggregatedResources = `{"resources":[{"name":"geese","kind":"Goose","verbs":["get","list"]},{"name":"geese-v","kind":"Goose","verbs":["list","watch"]}]}`
)

// Plural and scope of such kinds come from discovery, for the core group and for others. A kind that is not served yet
// is added once it is. A kind that cannot be watched is named in the log. One round requests each version only once.
func TestWatcherDiscoversKindsWithoutDefinitions(t *testing.T) {
	a, client := newAPI(t)
	a.discovery["/api/v1"] = coreResources
	a.forbidden = true
	a.put("b.example.com", "bs", "B", "Namespaced", "v1")
	named := func(name string) string { return strings.Replace(size, "name: size", "name: "+name, 1) }
	f := startWatcher(t, client, entryFor(podGVK, "labelSelector: a", named("a"))+entryFor(podGVK, "", named("b"))+
		entryFor(`{group: "", version: v1, kind: Node}`, "", named("c"))+entryFor(`{group: "", version: v1, kind: Binding}`, "", named("d"))+
		entryFor("{group: a.example.com, version: v1, kind: Goose}", "", named("e"))+
		entryFor("{group: b.example.com, version: v1, kind: '*'}", "", named("f")))
	kinds := f.wantNext("nodes.v1, pods.v1 namespaced, pods.v1:2 namespaced")
	if n := a.requestsTo("/api/v1"); n != 1 {
		t.Errorf("got %d requests for /api/v1, want 1", n)
	}
	if kinds[1].LabelSelector != "a" || kinds[2].LabelSelector != "" || kinds[1].Resource != kinds[2].Resource {
		t.Errorf("got %+v, want two kinds of pods, the first with the label selector a", kinds)
	}
	a.set(func() { a.discovery["/apis/a.example.com/v1"] = aggregatedResources })
	again := f.wantNext("geese-v.v1.a.example.com, nodes.v1, pods.v1 namespaced, pods.v1:2 namespaced")
	if again[2] != kinds[1] || again[3] != kinds[2] {
		t.Error("an unchanged Kind was replaced, want the same pointer")
	}
	for _, want := range []string{
		"can't be read; only", `left_out="[v1 Binding a.example.com/v1 Goose b.example.com/v1 *]"`, `kinds="[v1 Binding]"`,
	} {
		if !strings.Contains(f.log.String(), want) {
			t.Errorf("the log does not contain %q:\n%s", want, f.log)
		}
	}
	// Kinds that are installed later have a definition.
	a.set(func() { a.forbidden = false })
	f.wantNext("bs.v1.b.example.com namespaced, geese-v.v1.a.example.com, nodes.v1, pods.v1 namespaced, pods.v1:2 namespaced")
}

// If the configuration gives the plural, discovery determines only the scope.
func TestPluralOfTheConfigurationWins(t *testing.T) {
	a, client := newAPI(t)
	a.discovery["/apis/a.example.com/v1"] = aggregatedResources
	entries := mustParse(t, entryFor("{group: a.example.com, version: v1, kind: Goose}", "", size)+
		entryFor("{group: a.example.com, version: v1, kind: Goose}", "resourcePlural: geese", size)).entries
	if got := newDiscovery(client, false).find(t.Context(), entries); len(got) != 1 || got[0].Plural != "geese" || got[0].Namespaced {
		t.Errorf("got %+v, want one cluster-scoped definition with the plural geese", got)
	}
}

// kube-state-metrics needs one of them, too.
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
			t.Errorf("%q: got %+v, want %d definitions and no retry", more, got, want)
		}
	}
	if n := a.requestsTo("/apis/a.example.com/v1"); n != 1 {
		t.Errorf("got %d requests, want 1, for the scope", n)
	}
}
