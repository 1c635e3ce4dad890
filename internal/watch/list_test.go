package watch

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/statefleet/statefleet/benchmarks/simulator"
)

// listRequests records the parameters of lists in pages.
type listRequests struct {
	mu       sync.Mutex
	versions []string // resourceVersion
	limits   []string
}

func (l *listRequests) record(r *http.Request) (pages int, list bool) {
	q := r.URL.Query()
	if q.Get("watch") != "" {
		return 0, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.versions, l.limits = append(l.versions, q.Get("resourceVersion")), append(l.limits, q.Get("limit"))
	return len(l.limits), true
}

func (l *listRequests) parameters() (versions, limits []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.versions), slices.Clone(l.limits)
}

// TestListWithExpiredPageIsReadInOnePiece covers lists that take longer than etcd keeps a version.
func TestListWithExpiredPageIsReadInOnePiece(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{NoWatchList: true})
	for i := range 2*pageSize + 1 {
		w.pod(i, "n0")
	}
	var l listRequests
	w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
		page, list := l.record(r)
		if list && page == 2 {
			answer(rw, http.StatusGone, "Expired", "the continue token is too old")
		}
		return list && page == 2
	})
	_, rec := w.start(setup{})
	w.converge(rec, "the list")
	if _, limits := l.parameters(); !slices.Equal(limits, []string{"500", "500", ""}) {
		t.Errorf("got lists with the limits %q, want 500, 500 and none", limits)
	}
}

// TestStaleListsDoNotGoBack checks that a list that may be stale asks for at least the known
// version. If no server has that version, the newest state is requested.
func TestStaleListsDoNotGoBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{NoWatchList: true})
	w.pod(1, "n0")
	var l listRequests
	w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
		request, list := l.record(r)
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
	eventually(t, "another list", func() bool { return rec.count(func(r *recorder) int { return r.replaces }) == 2 })
	if versions, _ := l.parameters(); !slices.Equal(versions, []string{"0", fmt.Sprint(w.cluster.ResourceVersion()), ""}) {
		t.Errorf("got lists of the versions %q, want 0, the newest one, and none", versions)
	}
}

// TestAnswerThatIsNoListKeepsTheObjects covers a proxy before the API server that answers everything with 200 and an
// object of its own.
func TestAnswerThatIsNoListKeepsTheObjects(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{`{}`, `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","code":503}`} {
		w := newWorld(t, simulator.Options{})
		w.pod(1, "n0")
		reflector, rec := w.start(setup{})
		w.converge(rec, "the list")
		var lists atomic.Int32
		w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
			rw.Header().Set("Content-Type", runtime.ContentTypeJSON)
			_, _ = rw.Write([]byte(answer))
			if r.URL.Query().Get("watch") == "" {
				lists.Add(1)
			}
			return true
		})
		w.cluster.CloseWatches()
		eventually(t, "two more lists", func() bool { return lists.Load() >= 2 })
		if got := rec.snapshot(); len(got) != 1 {
			t.Errorf("%s: got objects %v, want that the pod is kept", answer, got)
		}
		eventually(t, "an error in the status", func() bool { return reflector.Status().Err != nil })
		if _, err := reflector.ListMetadata(t.Context(), func(Object) {}); err == nil {
			t.Errorf("%s: got a list of metadata, want an error", answer)
		}
		w.intercept(nil)
		w.pod(2, "n0")
		w.converge(rec, "the list once the API server answers again")
	}
}

func TestEndOfASilentWatchIsNoContact(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{NoWatchList: true})
	w.pod(1, "n0")
	ended := make(chan struct{}, 100)
	w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Get("watch") == "" {
			return false
		}
		rw.Header().Set("Content-Type", runtime.ContentTypeJSON)
		if err := http.NewResponseController(rw).Flush(); err != nil {
			t.Error(err)
		}
		ended <- struct{}{}
		return true
	})
	reflector, rec := w.start(setup{})
	w.converge(rec, "the list")
	<-ended
	at := reflector.Status().LastEvent
	for range 8 { // each is reported before it ends
		<-ended
	}
	if now := reflector.Status().LastEvent; at.IsZero() || !now.Equal(at) {
		t.Errorf("got a contact %s after the list, want none", now.Sub(at))
	}
}

// TestOnlyEventsCountAsContact checks that ListMetadata does not hide that a watch is silent.
func TestOnlyEventsCountAsContact(t *testing.T) {
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
		t.Error("ListMetadata counts as contact")
	}
	w.pod(1, "n1")
	w.converge(rec, "an event")
	if at := reflector.Status().LastEvent; !at.After(began) {
		t.Error("an event does not count as contact")
	}
}

// TestStaleListAfterABrokenStreamDoesNotGoBack covers a streamed list that breaks off after some
// objects, whose versions may be older than any list.
func TestStaleListAfterABrokenStreamDoesNotGoBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{})
	w.pod(1, "n0")
	var stream, page atomic.Value // the version of the second streamed list, and of the list after it
	var count atomic.Int32
	w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
		q := r.URL.Query()
		version := q.Get("resourceVersion")
		if q.Get("watch") == "" {
			page.CompareAndSwap(nil, version)
		}
		if q.Get("sendInitialEvents") == "" || count.Add(1) != 2 {
			return false
		}
		stream.Store(version)
		writeFrame(rw, fmt.Sprintf(`{"type":"ADDED","object":{"metadata":{"name":"p1","namespace":"default","uid":%q,"resourceVersion":"1"},"spec":{"nodeName":"n0"}}}`, uid(1)))
		return true
	})
	reflector, rec := w.reflector(setup{})
	reflector.AllowStaleList = true
	w.run(reflector)
	w.pod(1, "n1")
	w.converge(rec, "the list")
	eventually(t, "synced", func() bool { return reflector.Status().Phase == Synced })
	if err := w.cluster.Put(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "other"}}); err != nil { // a version that the watch has not received
		t.Fatal(err)
	}
	w.cluster.Compact()
	w.cluster.CloseWatches()
	eventually(t, "a list in pages", func() bool { return page.Load() != nil })
	if want, got := stream.Load(), page.Load(); got != want {
		t.Errorf("got a list of version %v after a streamed one of %v, want the same", got, want)
	}
}

// TestListAfterVersionsHaveGoneBackDoesNotAskForTheSavedVersion covers stale lists. An API server
// that does not have a version waits for it, and then refuses the list several times.
func TestListAfterVersionsHaveGoneBackDoesNotAskForTheSavedVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{})
	w.pod(1, "n0")
	r := w.resume()
	r.AllowStaleList = true
	var future atomic.Int32 // lists that ask for the saved version
	saved := r.Resume.Version
	w.intercept(func(rw http.ResponseWriter, req *http.Request) bool {
		if isTarget(req) {
			listVersion(rw, "1")
			return true
		}
		if q := req.URL.Query(); q.Get("resourceVersion") == saved && (q.Get("watch") == "" || q.Get("sendInitialEvents") != "") {
			future.Add(1)
		}
		return false
	})
	w.run(r.Reflector)
	eventually(t, "synced", r.synced)
	if n := future.Load(); n != 0 {
		t.Errorf("got %d lists of the saved version, want none", n)
	}
	w.converge(r.recorder, "the list")
}
