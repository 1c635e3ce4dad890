package statuspage

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// example is an overview with something in every field.
func example() Overview {
	sharded := true
	return Overview{
		At: noon, Version: "1.2.3",
		Fleet: Fleet{
			Followed: true, StatefulSet: "statefleet", Coordinated: true, Generation: 7, Active: 2, Target: 3, Wanted: 3,
			Since: noon.Add(-time.Minute), Transitions: Transitions{Completed: 1}, Standby: true, StandbyAsked: true,
			Sources: []Source{{"ConfigMap statefleet-topology", noon.Add(-9 * time.Second)}, {"its pods", time.Time{}}},
			Members: []Member{
				{Ordinal: 0, Self: true, Pod: "statefleet-0", State: PodReady, Server: 0, Holds: true, Own: Ring{{0, 1 << 63}}, Next: Ring{{0, 1 << 62}}},
				{Ordinal: 1, Pod: "statefleet-1", State: "not ready", Server: 0, Own: Ring{{1 << 63, 0}}, Next: Ring{{1 << 63, 3 << 62}}},
				{Ordinal: 2, Pod: "statefleet-2", State: "absent", Server: -1, Next: Ring{{1 << 62, 1 << 63}, {3 << 62, 0}}},
			},
		},
		Replica: Replica{
			Pod: "statefleet-0", Ready: true, Serving: true, Standby: true, Covers: true, Shown: Ring{{0, 0}}, Held: Ring{{0, 0}},
			RawBytes: 4 << 20, RawLimit: 32 << 20, Resident: 60 << 20, Started: noon.Add(-3 * time.Hour),
		},
		Scrapes: Scrapes{
			Last:   Scrape{At: noon.Add(-20 * time.Second), Seconds: .0213, Bytes: 958 << 10, Encoding: "gzip", Whole: true},
			Recent: Recent{Scrapes: 8, MeanSeconds: .02, MaxSeconds: 1.5, MeanBytes: 900 << 10},
		},
		Kinds: []Kind{
			{Name: "jobs", Phase: Synced, Heard: noon.Add(-50 * time.Second), Objects: 10, Series: 120, TextBytes: 5000, PackedBytes: 800},
			{Name: "pods", Phase: Synced, Heard: noon.Add(-3 * time.Second), Objects: 12345, Hidden: 17, Series: 1349201, TextBytes: 1 << 30, Sharded: &sharded},
			{Name: "leases", Phase: "absent", Heard: noon, Series: -1},
			{Name: "secrets", Phase: "forbidden", Err: "no rule", Since: noon.Add(-time.Hour), Series: 0},
		},
		Census: &Census{
			At: noon.Add(-40 * time.Second), Seconds: 1.9, All: Count{Series: 1349321, Bytes: 1 << 30},
			Families: []Count{{Name: "kube_pod_info", Series: 12345, Bytes: 3 << 20, Memory: 1 << 20}}, FamilyTotal: 208,
			Namespaces: []Count{{Name: "team-a", Series: 9000, Bytes: 1 << 20}, {Series: 3, Bytes: 200}}, NamespaceTotal: 2,
		},
	}
}

func serving(t *testing.T, o Overview) *Handler {
	t.Helper()
	h, err := New(Options{Overview: func() Overview { return o }})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func get(t *testing.T, h http.Handler, path string) (http.Header, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	body, err := io.ReadAll(w.Result().Body)
	if err != nil || w.Code != http.StatusOK {
		t.Fatalf("%s: status %d, %v: %s", path, w.Code, err, body)
	}
	return w.Header(), string(body)
}

func TestTypesAndPolicy(t *testing.T) {
	h := serving(t, example())
	for path, want := range map[string]string{
		"/":                 "text/html; charset=utf-8",
		"/-/fleet":          "application/json",
		"/-/fleet/view":     "text/html; charset=utf-8",
		"/-/fleet/app.css":  "text/css; charset=utf-8",
		"/-/fleet/app.js":   "text/javascript; charset=utf-8",
		"/-/fleet/icon.svg": "image/svg+xml; charset=utf-8",
	} {
		header, _ := get(t, h, path)
		if got := header.Get("Content-Type"); got != want || header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: Content-Type %q, X-Content-Type-Options %q", path, got, header.Get("X-Content-Type-Options"))
		}
		policy := header.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none';") || strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
			t.Errorf("%s: policy %q", path, policy)
		}
	}
	for _, path := range []string{"/nothing", "/-/fleet/", "/-/fleet/page.html", "/-/fleet/../x"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		if w.Code < 300 {
			t.Errorf("%s: status %d", path, w.Code)
		}
	}
}

// The policy forbids what is inline and what is elsewhere; there must be nothing of it, or it would not work.
func TestNothingIsInlineOrElsewhere(t *testing.T) {
	_, page := get(t, serving(t, example()), "/")
	for _, bad := range []string{` style=`, `<style`, ` on[a-z]+=`, `<script>`, `(src|href)="(/|[a-z]+:)`} {
		if found := regexp.MustCompile(bad).FindString(page); found != "" {
			t.Errorf("%q in the page", found)
		}
	}
	for _, name := range []string{"app.css", "app.js", "icon.svg"} {
		_, text := get(t, serving(t, example()), "/-/fleet/"+name)
		if strings.Contains(strings.ReplaceAll(text, "http://www.w3.org/2000/svg", ""), "://") {
			t.Errorf("%s names another server", name)
		}
	}
}

func TestPageShowsWhatThereIs(t *testing.T) {
	_, page := get(t, serving(t, example()), "/")
	for _, want := range []string{
		"As of", "12:00:00 UTC", "1.2.3", "started 3 h 0 min ago", "60.0 MiB of memory",
		"<b>2</b> shards, moving to <b>3</b>", "generation 7", "1 completed",
		`<strong>note</strong> The fleet moves from 2 to 3 shards, since 60 s. It waits for the replicas 1, 2.`,
		`<strong>note</strong> Replica 0 serves shard 1: pod statefleet-1 is not ready.`,
		`<strong>problem</strong> The API server does not let it read secrets.`,
		`<strong>problem</strong> The API server does not have leases.`,
		"ConfigMap statefleet-topology 9 s ago", "its pods never",
		`M0 0H500V10H0z`, `M250 0H500V10H250zM750 0H1000V10H750z`, "50.0 % of the ring, from 0x0000000000000000 to 0x8000000000000000",
		"21.3 ms", "958 KiB gzip", "1.50 s", "12,345", "1,349,201", "1.00 GiB", "covers the one before it",
		"3 s <small>since the last event", "at most 50 s, of jobs",
		"no rule", "as counted 40 s ago", "in 1.90 s", "The 1 largest of 208 families", "<i>none</i>", "API server",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in the page", want)
		}
	}
	order := regexp.MustCompile(`rowheader" scope="row">(secrets|leases|pods|jobs)<`).FindAllStringSubmatch(page, -1)
	if len(order) != 4 || order[0][1] != "secrets" || order[1][1] != "leases" || order[2][1] != "pods" || order[3][1] != "jobs" {
		t.Errorf("kinds in this order: %q", order)
	}
	if strings.Contains(page, "debug/pprof") {
		t.Error("it leads to profiles that are not served")
	}
	h, err := New(Options{Overview: example, Profiling: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, page := get(t, h, "/"); !strings.Contains(page, `href="debug/pprof/"`) {
		t.Error("it does not lead to profiles")
	}
	_, view := get(t, serving(t, example()), "/-/fleet/view")
	if !strings.HasPrefix(view, "<main") || !strings.Contains(page, view) {
		t.Error("the view is not the part of the page that changes")
	}
}

// Names and messages come from the API server, and so from anybody who may create an object.
func TestHostileNamesAreText(t *testing.T) {
	const evil = `<script>alert(1)</script>"'><img src=x onerror=alert(1)>`
	o := example()
	o.Version, o.Fleet.StatefulSet, o.Fleet.Coordinated, o.Fleet.Problem = evil, evil, false, evil
	o.Fleet.Members[0].Pod, o.Fleet.Members[1].State = evil, evil
	o.Fleet.Sources[0].What, o.Replica.Pod, o.Replica.Ready, o.Replica.Reason = evil, evil, false, evil
	o.Scrapes.Last.Encoding = evil
	o.Kinds[0].Name, o.Kinds[0].Phase, o.Kinds[0].Err = evil, evil, evil
	o.Census.Families[0].Name, o.Census.Namespaces[0].Name = evil, evil
	h := serving(t, o)
	for _, path := range []string{"/", "/-/fleet/view", "/-/fleet"} {
		_, text := get(t, h, path)
		if strings.Contains(text, "<script>") || strings.Contains(text, "<img") {
			t.Errorf("%s: not escaped", path)
		}
		if strings.Count(text, "script") < 10 {
			t.Errorf("%s: the names are not there at all", path)
		}
	}
}

// Programs read the JSON too: what is there may grow, but not change.
func TestJSONIsStable(t *testing.T) {
	_, got := get(t, serving(t, example()), "/-/fleet")
	want, err := os.ReadFile("testdata/fleet.json")
	if os.Getenv("UPDATE") != "" {
		err = os.WriteFile("testdata/fleet.json", []byte(got), 0o644)
		want = []byte(got)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the JSON is another than testdata/fleet.json; UPDATE=1 writes it:\n%s", got)
	}
}

func TestNothingIsKnownYet(t *testing.T) {
	o := Overview{At: noon, Replica: Replica{Reason: "no shard assigned yet"}}
	h := serving(t, o)
	_, page := get(t, h, "/")
	for _, want := range []string{"This replica is not ready: no shard assigned yet.", "not known yet", "No kind is followed yet", "Not counted yet", "none yet", "nothing heard yet"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in the page", want)
		}
	}
	_, text := get(t, h, "/-/fleet")
	var any map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &any); err != nil {
		t.Fatal(err)
	}
	if string(any["kinds"]) != "[]" || strings.Count(text, "null") != 1 {
		t.Errorf("lists that are not there, in addition to the census: %s", text)
	}
}

func TestFleetThatIsTooLargeToDraw(t *testing.T) {
	o := example()
	o.Fleet.Members = make([]Member, 1000)
	_, page := get(t, serving(t, o), "/-/fleet/view")
	if strings.Contains(page, "Ring of") || strings.Count(page, "<tr") < 1000 {
		t.Error("replicas are missing, or shown without a share of the ring")
	}
}

func TestManyWhoLookCostNoMoreThanOne(t *testing.T) {
	var asked atomic.Int64
	h, err := New(Options{Overview: func() Overview { asked.Add(1); return example() }})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() { get(t, h, "/-/fleet/view") })
	}
	all.Wait()
	if n, most := asked.Load(), 1+int64(time.Since(start)/fresh); n > most {
		t.Errorf("asked %d times, want %d at most", n, most)
	}
}
