package faults

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/internal/wire"
)

const body = `{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"9"},"items":[]}`

// newServer starts a server behind an Injector, and records the queries that reach it.
func newServer(t *testing.T) (*Injector, *httptest.Server, *[]string) {
	t.Helper()
	var reached []string
	i := New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached = append(reached, r.URL.RawQuery)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, body)
	}), 1)
	s := httptest.NewServer(i)
	t.Cleanup(s.Close)
	return i, s, &reached
}

// get returns the status, or 0 if there was no answer, and whether the body is complete.
func get(t *testing.T, url string) (status int, whole bool) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultTransport.(*http.Transport).Clone().RoundTrip(req)
	if err != nil {
		return 0, false
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	return res.StatusCode, err == nil && string(text) == body
}

func TestAnswersOfFaults(t *testing.T) {
	for f, want := range map[Fault]int{
		Expired: 410, Throttled: 429, Broken: 500, Unavailable: 503, Forbidden: 403, Absent: 404, Refused: 0,
	} {
		i, s, reached := newServer(t)
		i.SetFaults(1, f)
		if status, _ := get(t, s.URL); status != want || len(*reached) > 0 {
			t.Errorf("%s: got status %d, want %d; %d requests were forwarded", f, status, want, len(*reached))
		}
		if i.Counts()[f] != 1 {
			t.Errorf("%s: got counts %v, want 1", f, i.Counts())
		}
		i.SetFaults(0)
		if status, whole := get(t, s.URL); status != 200 || !whole {
			t.Errorf("after %s: got status %d, complete %t, want 200 and complete", f, status, whole)
		}
	}
}

func TestFaultsWithinAnswers(t *testing.T) {
	for _, f := range []Fault{Reset, Truncated} {
		i, s, _ := newServer(t)
		i.SetFaults(1, f)
		broken := 0
		for range 20 {
			if _, whole := get(t, s.URL); !whole {
				broken++
			}
		}
		if broken == 0 {
			t.Errorf("%s: got 20 complete answers, want some incomplete", f)
		}
	}
}

func TestRewrittenRequests(t *testing.T) {
	i, s, reached := newServer(t)
	i.SetFaults(1, Unsharded)
	get(t, s.URL+"?shardSelector=x&limit=5")
	i.SetFaults(1, Replayed)
	for range 10 {
		get(t, s.URL+"?watch=1&resourceVersion=1000")
	}
	if (*reached)[0] != "limit=5" {
		t.Errorf("got query %s, want it without the shard selector", (*reached)[0])
	}
	if !slices.ContainsFunc((*reached)[1:], func(q string) bool { return !strings.Contains(q, "resourceVersion=1000") }) {
		t.Errorf("got queries %q, want a watch from an earlier version", *reached)
	}
}

func TestStaleAnswersAreTheFirst(t *testing.T) {
	n := 0
	i := New(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n++
		_, _ = fmt.Fprint(w, n)
	}), 1)
	for k := range 3 {
		if k == 1 {
			i.SetFaults(1, Stale) // the first answer was given before
		}
		w := httptest.NewRecorder()
		i.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v1/pods?resourceVersion=0", nil))
		if w.Body.String() != "1" {
			t.Errorf("got answer %q, want the first one", w.Body.String())
		}
	}
	if struck := i.Counts()[Stale]; struck != 2 {
		t.Errorf("%d answers were stale, want 2", struck)
	}
}

func TestSameSeedSameFaults(t *testing.T) {
	draw := func(seed uint64) (all []Fault) {
		i := New(nil, seed)
		i.SetFaults(0.5, All()...)
		for range 100 {
			f, _ := i.draw("/api/v1/pods")
			_, _ = i.draw("/api/v1/nodes") // other requests must not matter
			all = append(all, f)
		}
		return all
	}
	if !slices.Equal(draw(7), draw(7)) || slices.Equal(draw(7), draw(8)) {
		t.Error("want equal faults for equal seeds, and others for another seed")
	}
}

// event returns a watch frame in protobuf, with an arbitrary object.
func event(kind string) []byte { return protobufEvent(kind, &metav1.Status{Message: "object"}) }

// inject returns the events of a watch after a fault was injected, the count of the fault, and the error that
// ended the watch.
func inject(t *testing.T, f Fault, frames ...[]byte) (all []wire.Event, injected int, last error) {
	t.Helper()
	i := New(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.kubernetes.protobuf;stream=watch")
		for _, frame := range frames {
			_, _ = w.Write(frame)
		}
	}), 1)
	i.SetFaults(1, f)
	w := httptest.NewRecorder()
	i.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v1/pods?watch=1", nil))
	for events := wire.NewEventReader(w.Body); ; {
		event, err := events.Next()
		if err != nil {
			return all, i.Counts()[f], err
		}
		all = append(all, event)
	}
}

func TestFramesAreLostDoubledAndWithheld(t *testing.T) {
	var many [][]byte
	for range 64 {
		many = append(many, event("MODIFIED"))
	}
	if all, injected, err := inject(t, Lost, many...); len(all) == 64 || len(all) == 0 && injected == 0 || !errors.Is(err, io.EOF) || injected != 1 {
		t.Errorf("Lost: got %d of 64 events, error %v, count %d, want fewer events, EOF, 1", len(all), err, injected)
	}
	if all, injected, err := inject(t, Lost, event("BOOKMARK")); len(all) != 1 || !errors.Is(err, io.EOF) || injected != 0 {
		t.Errorf("Lost: got %d bookmarks, error %v, count %d, want 1, EOF, 0", len(all), err, injected)
	}
	if all, injected, err := inject(t, Duplicated, many...); len(all) != 128 || !errors.Is(err, io.EOF) || injected != 1 {
		t.Errorf("Duplicated: got %d events, error %v, count %d, want 128, EOF, 1", len(all), err, injected)
	}
	if all, injected, err := inject(t, NoBookmarks, event("ADDED"), event("BOOKMARK")); len(all) != 1 || !errors.Is(err, io.EOF) || injected != 1 {
		t.Errorf("NoBookmarks: got %d events, error %v, count %d, want 1, EOF, 1", len(all), err, injected)
	}
}

// A reader of frames must detect every bit that Garbled may flip.
func TestGarbledFramesAreNoticed(t *testing.T) {
	for _, kind := range []string{"ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"} {
		if n := len(typeOf(event(kind))); n < len(kind) {
			t.Fatalf("%s: typeOf returns %d bytes, want at least %d", kind, n, len(kind))
		}
		for bit := range 8 * len(typeOf(event(kind))) {
			w := httptest.NewRecorder()
			w.Header().Set("Content-Type", "application/vnd.kubernetes.protobuf;stream=watch")
			injected := 0
			f := &frameWriter{ResponseWriter: w, fault: Garbled, every: 1, bit: bit, onInjected: func() { injected++ }}
			_, _ = f.Write(append(event(kind), event("ADDED")...))
			got, err := wire.NewEventReader(w.Body).Next()
			if known := slices.Contains([]string{"ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"}, got.Type); err == nil && known || injected != 1 {
				t.Errorf("%s, bit %d: got type %q, count %d, want an unknown type, 1", kind, bit, got.Type, injected)
			}
		}
	}
}

func TestExpiredIsSentAsStatusOrEvent(t *testing.T) {
	i := New(nil, 1)
	i.SetFaults(1, Expired)
	answers := map[string]int{}
	for range 40 {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v1/pods?watch=1", nil)
		r.Header.Set("Accept", "application/vnd.kubernetes.protobuf,application/json")
		i.ServeHTTP(w, r)
		if w.Code == http.StatusGone {
			answers["status"]++
			continue
		}
		event, err := wire.NewEventReader(w.Body).Next()
		var status metav1.Status
		if err == nil {
			err = status.Unmarshal(event.Object)
		}
		if err != nil || event.Type != "ERROR" || status.Code != http.StatusGone {
			t.Fatalf("got %s %+v, error %v, want an ERROR event with status 410", event.Type, status, err)
		}
		answers["event"]++
	}
	if answers["status"] == 0 || answers["event"] == 0 || i.Counts()[Expired] != 40 {
		t.Errorf("got answers %v, counts %v, want both kinds, and 40", answers, i.Counts())
	}
}

func TestPagesAndWatchesAreShort(t *testing.T) {
	i, s, reached := newServer(t)
	i.Pages(7)
	i.Watches(4)
	get(t, s.URL+"?limit=500")
	get(t, s.URL+"?limit=5")
	get(t, s.URL+"?timeoutSeconds=300")
	get(t, s.URL)
	if want := []string{"limit=7", "limit=5", "timeoutSeconds=4", ""}; !slices.Equal(*reached, want) {
		t.Errorf("got queries %q, want %q", *reached, want)
	}
	i.SetFaults(1, ExpiredPage)
	if status, _ := get(t, s.URL+"?limit=7"); status != http.StatusOK {
		t.Errorf("first page: got status %d, want 200", status)
	}
	if status, _ := get(t, s.URL+"?limit=7&continue=x"); status != http.StatusGone {
		t.Errorf("further page: got status %d, want 410", status)
	}
}

func TestStreamedListsAreRefused(t *testing.T) {
	i, s, reached := newServer(t)
	i.Unstreamed(true)
	if status, _ := get(t, s.URL+"?watch=1&sendInitialEvents=true"); status != http.StatusUnprocessableEntity {
		t.Errorf("streamed list: got status %d, want 422", status)
	}
	if status, _ := get(t, s.URL+"?watch=1"); status != http.StatusOK || len(*reached) != 1 || len(i.Counts()) > 0 {
		t.Errorf("watch: got status %d, %d requests forwarded, counts %v", status, len(*reached), i.Counts())
	}
}

func TestStaleAnswersAreForTheSameQuery(t *testing.T) {
	i := New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.URL.Query().Get("shardSelector"))
	}), 1)
	i.SetFaults(1, Stale)
	for _, shard := range []string{"a", "b", "a", "b"} {
		w := httptest.NewRecorder()
		i.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v1/pods?resourceVersion=7&shardSelector="+shard, nil))
		if w.Body.String() != shard {
			t.Errorf("shard selector %s: got the answer for %s", shard, w.Body.String())
		}
	}
}

func TestListsNotServedFromACacheAreNeverStale(t *testing.T) {
	i, s, reached := newServer(t)
	i.SetFaults(1, Stale)
	for range 3 {
		get(t, s.URL)
	}
	if len(*reached) != 3 || len(i.Counts()) > 0 {
		t.Errorf("%d of 3 requests reached the server, counts %v, want all and none", len(*reached), i.Counts())
	}
}
