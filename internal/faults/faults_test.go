package faults

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

const body = `{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"9"},"items":[]}`

// behind starts a server that counts what reaches it, behind an Injector.
func behind(t *testing.T, seed uint64) (*Injector, *httptest.Server, *[]string) {
	t.Helper()
	var reached []string
	i := New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached = append(reached, r.URL.RawQuery)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, body)
	}), seed)
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
		i, s, reached := behind(t, 1)
		i.Spoil(1, f)
		if status, _ := get(t, s.URL); status != want || len(*reached) > 0 {
			t.Errorf("%s: status %d, want %d; %d requests got through", f, status, want, len(*reached))
		}
		if i.Counts()[f] != 1 {
			t.Errorf("%s: counted %v", f, i.Counts())
		}
		i.Spoil(0)
		if status, whole := get(t, s.URL); status != 200 || !whole {
			t.Errorf("after %s: status %d, whole %t", f, status, whole)
		}
	}
}

func TestFaultsWithinAnswers(t *testing.T) {
	for _, f := range []Fault{Reset, Truncated} {
		i, s, _ := behind(t, 1)
		i.Spoil(1, f)
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
	i, s, reached := behind(t, 1)
	i.Spoil(1, Unsharded)
	get(t, s.URL+"?shardSelector=x&limit=5")
	i.Spoil(1, Replayed)
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
	i.Spoil(1, Stale)
	for range 3 {
		w := httptest.NewRecorder()
		i.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v1/pods", nil))
		if w.Body.String() != "1" {
			t.Errorf("answer %q", w.Body.String())
		}
	}
}

func TestSameSeedSameFaults(t *testing.T) {
	draw := func(seed uint64) (all []Fault) {
		i := New(nil, seed)
		i.Spoil(0.5, All()...)
		for range 100 {
			f, _ := i.draw()
			all = append(all, f)
		}
		return all
	}
	if !slices.Equal(draw(7), draw(7)) || slices.Equal(draw(7), draw(8)) {
		t.Error("the faults do not follow from the seed")
	}
}
