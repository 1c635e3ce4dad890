package watch

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/statefleet/statefleet/benchmarks/simulator"
)

// listed notes the parameters of the lists that are requested in pages, and answers as bend does.
type listed struct {
	mu       sync.Mutex
	versions []string // resourceVersion
	limits   []string
}

func (l *listed) note(r *http.Request) (pages int, list bool) {
	q := r.URL.Query()
	if q.Get("watch") != "" {
		return 0, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.versions, l.limits = append(l.versions, q.Get("resourceVersion")), append(l.limits, q.Get("limit"))
	return len(l.limits), true
}

func (l *listed) now() (versions, limits []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.versions), slices.Clone(l.limits)
}

// Reading all pages may take longer than etcd keeps a version.
func TestListWhosePagesExpireIsReadAsAWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{NoWatchList: true})
	for i := range 2*pageSize + 1 {
		w.pod(i, "n0")
	}
	var l listed
	w.setBend(func(rw http.ResponseWriter, r *http.Request) bool {
		page, list := l.note(r)
		if list && page == 2 {
			answer(rw, http.StatusGone, "Expired", "the continue token is too old")
		}
		return list && page == 2
	})
	_, rec := w.start(setup{})
	w.converge(rec, "the list")
	if _, limits := l.now(); !slices.Equal(limits, []string{"500", "500", ""}) {
		t.Errorf("lists with the limits %q", limits)
	}
}

// A list that may be stale is not older than what is known, and one that no server can answer asks
// for the newest state.
func TestStaleListsDoNotGoBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{NoWatchList: true})
	w.pod(1, "n0")
	var l listed
	w.setBend(func(rw http.ResponseWriter, r *http.Request) bool {
		request, list := l.note(r)
		if list && request == 2 {
			answer(rw, http.StatusBadRequest, "BadRequest", "no such version")
		}
		return list && request == 2
	})
	reflector, rec := w.reflector(setup{})
	reflector.AllowStaleList = true
	w.run(reflector)
	w.converge(rec, "the list")
	reflector.requireList()
	eventually(t, "another list", func() bool { return rec.count(func(r *recorder) int { return r.retains }) == 2 })
	if versions, _ := l.now(); !slices.Equal(versions, []string{"0", fmt.Sprint(w.cluster.ResourceVersion()), ""}) {
		t.Errorf("lists of the versions %q", versions)
	}
}

// Only a watch shows that events arrive; a list for comparison must not hide that one is silent.
func TestEventsAreContactAndComparisonsAreNot(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{NoWatchList: true})
	w.pod(1, "n0")
	reflector, rec := w.start(setup{})
	eventually(t, "synced", func() bool { return reflector.Status().Phase == Synced })
	began := time.Now()
	if _, err := reflector.ListMetadata(t.Context(), func(Object) {}); err != nil {
		t.Fatal(err)
	}
	if at := reflector.Status().LastEvent; at.After(began) {
		t.Error("a list for comparison counts as contact")
	}
	w.pod(1, "n1")
	w.converge(rec, "an event")
	if at := reflector.Status().LastEvent; !at.After(began) {
		t.Error("an event does not count as contact")
	}
}
