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

// behind starts a server that counts what reaches it, behind an Injector.
func behind(t *testing.T) (*Injector, *httptest.Server, *[]string) {
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

// get returns the status, or "" when there was no answer, and whether the body is whole.
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
		i, s, reached := behind(t)
		i.SetFaults(1, f)
		if status, _ := get(t, s.URL); status != want || len(*reached) > 0 {
			t.Errorf("%s: status %d, want %d; %d requests got through", f, status, want, len(*reached))
		}
		if i.Counts()[f] != 1 {
			t.Errorf("%s: counted %v", f, i.Counts())
		}
		i.SetFaults(0)
		if status, whole := get(t, s.URL); status != 200 || !whole {
			t.Errorf("after %s: status %d, whole %t", f, status, whole)
		}
	}
}

func TestFaultsWithinAnswers(t *testing.T) {
	for _, f := range []Fault{Reset, Truncated} {
		i, s, _ := behind(t)
		i.SetFaults(1, f)
		broken := 0
		for range 20 {
			if _, whole := get(t, s.URL); !whole {
				broken++
			}
		}
		if broken == 0 {
			t.Errorf("%s: every answer was whole", f)
		}
	}
}

func TestRewrittenRequests(t *testing.T) {
	i, s, reached := behind(t)
	i.SetFaults(1, Unsharded)
	get(t, s.URL+"?shardSelector=x&limit=5")
	i.SetFaults(1, Replayed)
	for range 10 {
		get(t, s.URL+"?watch=1&resourceVersion=1000")
	}
	if (*reached)[0] != "limit=5" {
		t.Errorf("with the selector: %s", (*reached)[0])
	}
	if !slices.ContainsFunc((*reached)[1:], func(q string) bool { return !strings.Contains(q, "resourceVersion=1000") }) {
		t.Errorf("no watch from an earlier version: %q", *reached)
	}
}

func TestStaleAnswersAreTheFirst(t *testing.T) {
	n := 0
	i := New(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n++
		_, _ = fmt.Fprint(w, n)
	}), 1)
	i.SetFaults(1, Stale)
	for range 3 {
		w := httptest.NewRecorder()
		i.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v1/pods?resourceVersion=0", nil))
		if w.Body.String() != "1" {
			t.Errorf("answer %q", w.Body.String())
		}
	}
}

func TestSameSeedSameFaults(t *testing.T) {
	draw := func(seed uint64) (all []Fault) {
		i := New(nil, seed)
		i.SetFaults(0.5, All()...)
		for range 100 {
			f, _ := i.draw("/api/v1/pods")
			_, _ = i.draw("/api/v1/nodes") // whatever else is asked for
			all = append(all, f)
		}
		return all
	}
	if !slices.Equal(draw(7), draw(7)) || slices.Equal(draw(7), draw(8)) {
		t.Error("the faults do not follow from the seed")
	}
}

// event is a frame of a watch in protobuf, with an object that is of no interest.
func event(kind string) []byte { return protobufEvent(kind, &metav1.Status{Message: "object"}) }

// spoiled returns what becomes of the frames of a watch, and how often the fault struck.
func spoiled(t *testing.T, f Fault, frames ...[]byte) (all []wire.Event, strikes int, last error) {
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
	if all, strikes, err := spoiled(t, Lost, many...); len(all) == 64 || len(all) == 0 && strikes == 0 || !errors.Is(err, io.EOF) || strikes != 1 {
		t.Errorf("lost: %d of 64 events, %v, counted %d", len(all), err, strikes)
	}
	if all, strikes, err := spoiled(t, Lost, event("BOOKMARK")); len(all) != 1 || !errors.Is(err, io.EOF) || strikes != 0 {
		t.Errorf("lost: %d bookmarks, %v, counted %d", len(all), err, strikes)
	}
	if all, strikes, err := spoiled(t, Duplicated, many...); len(all) != 128 || !errors.Is(err, io.EOF) || strikes != 1 {
		t.Errorf("duplicated: %d events of 64, %v, counted %d", len(all), err, strikes)
	}
	if all, strikes, err := spoiled(t, NoBookmarks, event("ADDED"), event("BOOKMARK")); len(all) != 1 || !errors.Is(err, io.EOF) || strikes != 1 {
		t.Errorf("bookmarks: %d events, %v, counted %d", len(all), err, strikes)
	}
}

// Every bit that Garbled may turn has to be noticed by the reader of the frames.
func TestGarbledFramesAreNoticed(t *testing.T) {
	for _, kind := range []string{"ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"} {
		if n := len(typeOf(event(kind))); n < len(kind) {
			t.Fatalf("%s: %d bytes, fewer than the type takes", kind, n)
		}
		for bit := range 8 * len(typeOf(event(kind))) {
			w := httptest.NewRecorder()
			w.Header().Set("Content-Type", "application/vnd.kubernetes.protobuf;stream=watch")
			struck := 0
			f := &frames{ResponseWriter: w, fault: Garbled, every: 1, bit: bit, onInjected: func() { struck++ }}
			_, _ = f.Write(append(event(kind), event("ADDED")...))
			got, err := wire.NewEventReader(w.Body).Next()
			if known := slices.Contains([]string{"ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"}, got.Type); err == nil && known || struck != 1 {
				t.Errorf("%s, bit %d: read as %q; counted %d", kind, bit, got.Type, struck)
			}
		}
	}
}

func TestExpiredIsToldByStatusOrEvent(t *testing.T) {
	i := New(nil, 1)
	i.SetFaults(1, Expired)
	told := map[string]int{}
	for range 40 {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v1/pods?watch=1", nil)
		r.Header.Set("Accept", "application/vnd.kubernetes.protobuf,application/json")
		i.ServeHTTP(w, r)
		if w.Code == http.StatusGone {
			told["status"]++
			continue
		}
		event, err := wire.NewEventReader(w.Body).Next()
		var status metav1.Status
		if err == nil {
			err = status.Unmarshal(event.Object)
		}
		if err != nil || event.Type != "ERROR" || status.Code != http.StatusGone {
			t.Fatalf("%s %+v, %v", event.Type, status, err)
		}
		told["event"]++
	}
	if told["status"] == 0 || told["event"] == 0 || i.Counts()[Expired] != 40 {
		t.Errorf("told by %v, counted %v", told, i.Counts())
	}
}

func TestPagesAndWatchesAreShort(t *testing.T) {
	i, s, reached := behind(t)
	i.Pages(7)
	i.Watches(4)
	get(t, s.URL+"?limit=500")
	get(t, s.URL+"?limit=5")
	get(t, s.URL+"?timeoutSeconds=300")
	get(t, s.URL)
	if want := []string{"limit=7", "limit=5", "timeoutSeconds=4", ""}; !slices.Equal(*reached, want) {
		t.Errorf("asked for %q", *reached)
	}
	i.SetFaults(1, ExpiredPage)
	if status, _ := get(t, s.URL+"?limit=7"); status != http.StatusOK {
		t.Errorf("the first page: %d", status)
	}
	if status, _ := get(t, s.URL+"?limit=7&continue=x"); status != http.StatusGone {
		t.Errorf("a further page: %d", status)
	}
}

func TestStreamedListsAreRefused(t *testing.T) {
	i, s, reached := behind(t)
	i.Unstreamed(true)
	if status, _ := get(t, s.URL+"?watch=1&sendInitialEvents=true"); status != http.StatusUnprocessableEntity {
		t.Errorf("a streamed list: %d", status)
	}
	if status, _ := get(t, s.URL+"?watch=1"); status != http.StatusOK || len(*reached) != 1 || len(i.Counts()) > 0 {
		t.Errorf("a watch: %d; %d got through, counted %v", status, len(*reached), i.Counts())
	}
}

func TestStaleAnswersAreThoseToTheSameQuestion(t *testing.T) {
	i := New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.URL.Query().Get("shardSelector"))
	}), 1)
	i.SetFaults(1, Stale)
	for _, shard := range []string{"a", "b", "a", "b"} {
		w := httptest.NewRecorder()
		i.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v1/pods?resourceVersion=7&shardSelector="+shard, nil))
		if w.Body.String() != shard {
			t.Errorf("asked for %s, got %s", shard, w.Body.String())
		}
	}
}

func TestListsThatAreFromNoCacheAreNeverStale(t *testing.T) {
	i, s, reached := behind(t)
	i.SetFaults(1, Stale)
	for range 3 {
		get(t, s.URL)
	}
	if len(*reached) != 3 || len(i.Counts()) > 0 {
		t.Errorf("%d of 3 answered by the server, counted %v", len(*reached), i.Counts())
	}
}
