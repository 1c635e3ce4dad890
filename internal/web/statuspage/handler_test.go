package statuspage

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/statefleet/statefleet/internal/replica"
	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/internal/web"
	"github.com/statefleet/statefleet/shard"
	"github.com/statefleet/statefleet/shard/fleet"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// example returns a status with a value in every field.
func example() Status {
	return Status{
		At: noon, Version: "1.2.3",
		Process: Process{
			Pod: "statefleet-0", Started: noon.Add(-3 * time.Hour), ResidentBytes: 60 << 20, ShardedByServer: map[string]bool{"pods": true},
		},
		Fleet: Fleet{Overview: fleet.Overview{
			Status: fleet.Status{
				Coordinated: true, Generation: 7, Active: 2, Target: 3, Desired: 3, StartedAt: noon.Add(-time.Minute),
				Transitions: fleet.Transitions{Completed: 1}, Standby: true, ServesNeighbour: true,
			},
			StatefulSet: "statefleet", Topology: "statefleet-topology",
			LastContact: fleet.LastContact{StatefulSet: noon.Add(-6 * time.Second), Topology: noon.Add(-9 * time.Second)},
			Replicas: []fleet.Replica{
				{Ordinal: 0, Self: true, Pod: "statefleet-0", State: "ready", Address: "10.0.0.1", ServedBy: new(0), Holds: true, Own: shard.Ranges{{Start: 0, End: 1 << 63}}, TargetOwn: shard.Ranges{{Start: 0, End: 1 << 62}}},
				{Ordinal: 1, Pod: "statefleet-1", State: "not ready", Reason: "CrashLoopBackOff", Address: "fd00::2", ServedBy: new(0), Own: shard.Ranges{{Start: 1 << 63}}, TargetOwn: shard.Ranges{{Start: 1 << 63, End: 3 << 62}}},
				{Ordinal: 2, Pod: "statefleet-2", State: "absent", TargetOwn: shard.Ranges{{Start: 1 << 62, End: 1 << 63}, {Start: 3 << 62}}},
			},
		}, FollowsStatefulSet: true, StandbyRequested: true},
		Replica: replica.Overview{
			Visible: shard.All(), Held: shard.All(), RawBytes: 4 << 20, RawLimit: 32 << 20,
			Kinds: []replica.KindOverview{
				{Name: "jobs", Phase: watch.Synced, LastContact: noon.Add(-50 * time.Second), Objects: 10, TextBytes: 5000, CompressedBytes: 800},
				{Name: "pods", Phase: watch.Synced, LastContact: noon.Add(-3 * time.Second), Objects: 12345, HiddenObjects: 17, TextBytes: 1 << 30},
				{Name: "leases", Phase: watch.Absent, LastContact: noon},
				{Name: "secrets", Phase: watch.Forbidden, Error: "no rule", Since: noon.Add(-time.Hour)},
			},
		},
		Scrapes: web.ScrapeSummary{
			Last:  web.Scrape{At: noon.Add(-20 * time.Second), Seconds: .0213, Bytes: 958 << 10, Encoding: "gzip", Complete: true},
			Count: 8, MeanSeconds: .02, MaxSeconds: 1.5, MeanBytes: 900 << 10,
		},
		Cardinality: &Cardinality{CardinalityReport: replica.CardinalityReport{
			At: noon.Add(-40 * time.Second), Took: 1900 * time.Millisecond, All: replica.Count{Series: 1349321, Bytes: 1 << 30},
			Kinds:    []replica.Count{{Name: "pods", Series: 1349201, Bytes: 1 << 30}, {Name: "jobs", Series: 120, Bytes: 5000}},
			Families: []replica.Count{{Name: "kube_pod_info", Series: 12345, Bytes: 3 << 20, Memory: 1 << 20}}, FamilyTotal: 208,
			Namespaces: []replica.Count{{Name: "team-a", Series: 9000, Bytes: 1 << 20}, {Series: 3, Bytes: 200}}, NamespaceTotal: 2,
		}},
	}
}

func replicaURL(address string) string { return "http://" + net.JoinHostPort(address, "8081") + "/" }

func newTestHandler(t *testing.T, s Status) *Handler {
	t.Helper()
	h, err := New(Options{Status: func() Status { return s }, ReplicaURL: replicaURL})
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

func TestContentTypesAndSecurityPolicy(t *testing.T) {
	h := newTestHandler(t, example())
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
			t.Errorf("%s: got Content-Type %q, X-Content-Type-Options %q; want %q and nosniff",
				path, got, header.Get("X-Content-Type-Options"), want)
		}
		policy := header.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none';") || strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
			t.Errorf("%s: the policy %q is too permissive", path, policy)
		}
	}
	for _, path := range []string{"/nothing", "/-/fleet/", "/-/fleet/page.html", "/-/fleet/../x"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		if w.Code < 300 {
			t.Errorf("%s: got status %d, want an error or a redirect", path, w.Code)
		}
	}
}

// The policy forbids inline scripts and styles, and other servers.
func TestPageCompliesWithItsPolicy(t *testing.T) {
	_, page := get(t, newTestHandler(t, example()), "/")
	for _, bad := range []string{` style=`, `<style`, ` on[a-z]+=`, `<script>`, `src="(/|[a-z]+:)`, `<link [^>]*href="(/|[a-z]+:)`, `href="/`} {
		if found := regexp.MustCompile(bad).FindString(page); found != "" {
			t.Errorf("the page contains %q, which its policy forbids", found)
		}
	}
	for _, name := range []string{"app.css", "app.js", "icon.svg"} {
		_, text := get(t, newTestHandler(t, example()), "/-/fleet/"+name)
		if strings.Contains(strings.ReplaceAll(text, "http://www.w3.org/2000/svg", ""), "://") {
			t.Errorf("%s names another server", name)
		}
	}
}

func TestPageShowsTheStatus(t *testing.T) {
	_, page := get(t, newTestHandler(t, example()), "/")
	for _, want := range []string{
		"As of", "12:00:00 UTC", "1.2.3", "started 3 h 0 min ago", "60.0 MiB of memory",
		"<b>2</b> shards, moving to <b>3</b>", "generation 7", "1 completed",
		`<strong>note</strong> Transition from 2 to 3 shards, started 60 s ago. Waiting for replicas 1, 2; pod statefleet-1 is not ready: CrashLoopBackOff.`,
		`<strong>note</strong> Replica 0 serves shard 1: pod statefleet-1 is not ready: CrashLoopBackOff.`,
		`<strong>problem</strong> The API server forbids reading secrets.`,
		`<strong>problem</strong> The API server does not have leases.`,
		"StatefulSet statefleet: last update 6 s ago", "ConfigMap statefleet-topology: last update 9 s ago", "pods: last update never",
		`M0 0H500V10H0z`, `M250 0H500V10H250zM750 0H1000V10H750z`, "owns 50.0 % of the ring",
		"21.3 ms", "958 KiB gzip", "1.50 s", "12,345", "1,349,201", "1.00 GiB", "serves the shard of the replica before it",
		"3 s <small>since the last event", "longest: 50 s, jobs",
		`<a href="http://[fd00::2]:8081/"`, "no rule", "Series were counted 40 s ago", "in 1.90 s", "The 1 largest of 208 families", "<i>none</i>", "API server",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	order := regexp.MustCompile(`rowheader" scope="row">(secrets|leases|pods|jobs)<`).FindAllStringSubmatch(page, -1)
	if len(order) != 4 || order[0][1] != "secrets" || order[1][1] != "leases" || order[2][1] != "pods" || order[3][1] != "jobs" {
		t.Errorf("got kinds in the order %q, want secrets, leases, pods, jobs", order)
	}
	if strings.Contains(page, "debug/pprof") {
		t.Error("the page links to profiles that are not served")
	}
	h, err := New(Options{Status: example, ReplicaURL: replicaURL, Profiling: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, page := get(t, h, "/"); !strings.Contains(page, `href="debug/pprof/"`) {
		t.Error("the page does not link to profiles")
	}
	_, view := get(t, newTestHandler(t, example()), "/-/fleet/view")
	if !strings.HasPrefix(view, "<main") || !strings.Contains(page, view) {
		t.Error("the view is not a part of the page")
	}
}

// Names and messages come from the API server, so anyone who may create an object can choose them.
func TestHostileNamesAreText(t *testing.T) {
	const evil = `<script>alert(1)</script>"'><img src=x onerror=alert(1)>`
	o := example()
	o.Version, o.Fleet.StatefulSet, o.Fleet.Topology, o.Fleet.Coordinated, o.Fleet.Problem = evil, evil, evil, false, evil
	o.Fleet.Replicas[0].Pod, o.Fleet.Replicas[1].State = evil, evil
	o.Fleet.Replicas[1].Reason = evil
	o.Process.Pod, o.Process.NotReady = evil, evil
	o.Scrapes.Last.Encoding = evil
	o.Replica.Kinds[0].Name, o.Replica.Kinds[0].Phase, o.Replica.Kinds[0].Error = evil, evil, evil
	o.Cardinality.Families[0].Name, o.Cardinality.Namespaces[0].Name = evil, evil
	h := newTestHandler(t, o)
	for _, path := range []string{"/", "/-/fleet/view", "/-/fleet"} {
		_, text := get(t, h, path)
		if strings.Contains(text, "<script>") || strings.Contains(text, "<img") {
			t.Errorf("%s: a hostile name is not escaped", path)
		}
		if strings.Count(text, "script") < 10 {
			t.Errorf("%s: the response lacks the hostile names", path)
		}
	}
}

// Programs also read the JSON. It may gain fields, but existing ones must not change.
func TestJSONIsStable(t *testing.T) {
	_, got := get(t, newTestHandler(t, example()), "/-/fleet")
	want, err := os.ReadFile("testdata/fleet.json")
	if os.Getenv("UPDATE") != "" {
		err = os.WriteFile("testdata/fleet.json", []byte(got), 0o644)
		want = []byte(got)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the JSON differs from testdata/fleet.json; UPDATE=1 rewrites it:\n%s", got)
	}
}

func TestPageOfANewProcess(t *testing.T) {
	s := Status{At: noon, Process: Process{NotReady: "no shard assigned yet"}}
	h := newTestHandler(t, s)
	_, page := get(t, h, "/")
	for _, want := range []string{"This replica is not ready: no shard assigned yet.", "not known yet", "No kinds yet", "Not counted yet", "none yet", "no event yet"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if _, text := get(t, h, "/-/fleet"); strings.Contains(text, "null") {
		t.Errorf("the JSON contains null: %s", text)
	}
}

func TestPageOfASingleProcessCallsItNoShard(t *testing.T) {
	s := unremarkable()
	s.Process.Pod, s.Fleet = "", Fleet{Overview: fleet.StaticOverview(shard.Assignment{Total: 1})}
	_, page := get(t, newTestHandler(t, s), "/")
	if !strings.Contains(page, "This process is ready and serves all objects.") || strings.Contains(page, "shard 0</b>") {
		t.Errorf("the page calls a single process a shard, or does not say that it serves all objects: %.1500s", page)
	}
}

func TestLargeFleetHasNoRing(t *testing.T) {
	o := example()
	o.Fleet.Replicas = make([]fleet.Replica, 1000)
	_, page := get(t, newTestHandler(t, o), "/-/fleet/view")
	if strings.Contains(page, "Ring of") || strings.Count(page, "<tr") < 1000 {
		t.Error("the page of a large fleet lacks replicas, or draws a ring")
	}
}

func TestManyReadersCostNoMoreThanOne(t *testing.T) {
	var calls atomic.Int64
	h, err := New(Options{Status: func() Status { calls.Add(1); return example() }, ReplicaURL: replicaURL})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() { get(t, h, "/-/fleet/view") })
	}
	all.Wait()
	if n, most := calls.Load(), 1+int64(time.Since(start)/cacheTTL); n > most {
		t.Errorf("got %d calls of Status, want at most %d", n, most)
	}
}
