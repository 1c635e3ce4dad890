package watch

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/benchmarks/simulator"
)

// resumed is a Reflector that resumes, with the calls of its Resume functions.
type resumed struct {
	*Reflector
	*recorder
	mu       sync.Mutex
	caughtUp []string
	discards int
}

// resume makes a Reflector that resumes from the present state of the cluster.
func (w *world) resume() *resumed { return w.resumeAs(setup{}) }

func (w *world) resumeAs(s setup) *resumed {
	r := &resumed{}
	r.Reflector, r.recorder = w.reflector(s)
	maps.Copy(r.objects, w.want)
	r.Resume = &Resume{
		Version: strconv.FormatUint(w.cluster.ResourceVersion(), 10),
		CaughtUp: func(version string) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.caughtUp = append(r.caughtUp, version)
		},
	}
	r.Discard = func() {
		r.Replace(nil, "")
		r.mu.Lock()
		defer r.mu.Unlock()
		r.discards++
	}
	r.Reflector = New(r.Options)
	return r
}

func (r *resumed) synced() bool { return r.Status().Phase == Synced }

// want fails the test unless CaughtUp was called this often, and Discard at least once if discards is
// 1, and never if it is 0.
func (r *resumed) want(t *testing.T, caughtUp, discards int) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.caughtUp) != caughtUp || min(r.discards, 1) != discards {
		t.Errorf("got caught up at %q and %d discards, want %d times and %d", r.caughtUp, r.discards, caughtUp, discards)
	}
}

// isTarget reports whether a request asks for the present version.
func isTarget(r *http.Request) bool { return r.URL.Query().Get("limit") == "1" }

func TestResumedWatchDeliversChangesAndIsThenSynced(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{})
	for i := range 20 {
		w.pod(i, "n0")
	}
	r := w.resume()
	w.removePod(3)
	w.pod(4, "n1")
	w.pod(20, "n2")
	w.run(r.Reflector)
	eventually(t, "synced", r.synced)
	if !maps.Equal(r.snapshot(), w.want) {
		t.Errorf("synced with %d objects, want %d", len(r.snapshot()), len(w.want))
	}
	r.want(t, 1, 0)
	if n := r.count(func(r *recorder) int { return r.puts }); n != 2 {
		t.Errorf("the Handler received %d objects, want 2", n)
	}
	w.pod(5, "n3")
	w.converge(r.recorder, "an event of the watch")
	w.cluster.CloseWatches()
	w.pod(6, "n3")
	w.converge(r.recorder, "an event of the next watch")
	if n := r.count(func(r *recorder) int { return r.replaces }); n != 0 {
		t.Errorf("got %d lists, want none", n)
	}
}

func TestResumedWatchOfAQuietResourceIsSyncedByABookmark(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{})
	w.pod(1, "n0")
	r := w.resume()
	for i := range 5 { // another resource has newer versions
		if err := w.cluster.Put(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("n%d", i)}}); err != nil {
			t.Fatal(err)
		}
	}
	w.run(r.Reflector)
	eventually(t, "synced", r.synced)
	r.want(t, 1, 0)
	if v := ParseVersion(r.ResumeVersion()); v < w.cluster.ResourceVersion() {
		t.Errorf("ResumeVersion is %d, want %d or newer", v, w.cluster.ResourceVersion())
	}
}

func TestResumedWatchIsNotSyncedBeforeItHasCaughtUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{})
	w.pod(1, "n0")
	r := w.resume()
	release := make(chan struct{})
	w.intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Get("watch") != "" {
			<-release
		}
		return false
	})
	w.removePod(1)
	w.run(r.Reflector)
	time.Sleep(50 * time.Millisecond)
	if r.synced() || r.ResumeVersion() != "" {
		t.Error("the Reflector is synced, or has a version to resume from, before the watch has begun")
	}
	close(release)
	eventually(t, "synced", r.synced)
	if len(r.snapshot()) != 0 {
		t.Error("synced with an object that was deleted meanwhile")
	}
}

func TestEventOlderThanTheTargetDoesNotMeanCaughtUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{})
	w.pod(1, "n0")
	r := w.resumeAs(setup{json: true})
	from := w.cluster.ResourceVersion()
	w.pod(2, "n2")
	w.removePod(1)
	release := make(chan struct{})
	w.countWatches(func(rw http.ResponseWriter, _ *http.Request) {
		writeFrame(rw, fmt.Sprintf(`{"type":"ADDED","object":{"metadata":{"name":"p2","namespace":"default","uid":%q,"resourceVersion":"%d"},"spec":{"nodeName":"n2"}}}`, uid(2), from+1))
		<-release
	})
	w.run(r.Reflector)
	eventually(t, "the event", func() bool { return r.snapshot()[string(uid(2))] == "n2" })
	time.Sleep(50 * time.Millisecond)
	if r.synced() {
		t.Error("synced by an event that is older than the deletion of an object")
	}
	close(release)
	eventually(t, "synced", r.synced)
	if !maps.Equal(r.snapshot(), w.want) {
		t.Error("synced with an object that was deleted meanwhile")
	}
}

func TestServerWithoutBookmarksIsListedAfterAWhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{})
	w.pod(1, "n0")
	r := w.resume()
	var watches, beforeList atomic.Int32
	w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
		q := r.URL.Query()
		if q.Get("watch") == "" || q.Get("sendInitialEvents") != "" {
			beforeList.CompareAndSwap(0, watches.Load())
			return false
		}
		watches.Add(1)
		rw.WriteHeader(http.StatusOK) // and ends at once, without an event
		return true
	})
	w.pod(2, "n0")
	w.run(r.Reflector)
	eventually(t, "synced", r.synced)
	r.want(t, 0, 0)
	if n := beforeList.Load(); n != maxCatchUps {
		t.Errorf("got %d watches before the list, want %d", n, maxCatchUps)
	}
	w.converge(r.recorder, "the list")
}

// TestResumeThatFails checks that everything is listed instead, and that objects are dropped that would be visible
// before the list.
func TestResumeThatFails(t *testing.T) {
	t.Parallel()
	refusal := func(code int, reason string) func(http.ResponseWriter) {
		return func(rw http.ResponseWriter) {
			rw.Header().Set("Content-Type", "application/json")
			rw.WriteHeader(code)
			_, _ = fmt.Fprintf(rw, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"code":%d}`, reason, code)
		}
	}
	for name, c := range map[string]struct {
		answer   func(http.ResponseWriter)
		target   bool // the request for the present version is answered like this, otherwise the watch
		discards int
	}{
		"gone":                {refusal(410, "Expired"), false, 0},
		"forbidden":           {refusal(403, "Forbidden"), false, 1},
		"absent":              {refusal(404, "NotFound"), false, 1},
		"not acceptable":      {refusal(406, "NotAcceptable"), false, 1},
		"target forbidden":    {refusal(403, "Forbidden"), true, 0}, // the list is allowed
		"version goes back":   {func(rw http.ResponseWriter) { listVersion(rw, "1") }, true, 1},
		"version is no digit": {func(rw http.ResponseWriter) { listVersion(rw, "abc") }, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Options{})
			for i := range 5 {
				w.pod(i, "n0")
			}
			r := w.resume()
			w.removePod(1)
			var once atomic.Bool
			w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
				q := r.URL.Query()
				watch := q.Get("watch") != "" && q.Get("sendInitialEvents") == ""
				if c.target != isTarget(r) || !c.target && !watch || !once.CompareAndSwap(false, true) {
					return false
				}
				c.answer(rw)
				return true
			})
			w.run(r.Reflector)
			eventually(t, "synced", r.synced)
			r.want(t, 0, c.discards)
			w.converge(r.recorder, "the list")
		})
	}
}

// listVersion answers with an empty list of this version.
func listVersion(rw http.ResponseWriter, version string) {
	rw.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(rw, `{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/v1","metadata":{"resourceVersion":%q},"items":[]}`, version)
}

func TestRefusedListAfterGoneDropsTheObjects(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{})
	w.pod(1, "n0")
	r := w.resume()
	var allowed atomic.Bool
	w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
		if isTarget(r) || allowed.Load() {
			return false
		}
		code, reason := http.StatusForbidden, "Forbidden"
		if q := r.URL.Query(); q.Get("watch") != "" && q.Get("sendInitialEvents") == "" {
			code, reason = http.StatusGone, "Expired"
		}
		rw.Header().Set("Content-Type", "application/json")
		rw.WriteHeader(code)
		_, _ = fmt.Fprintf(rw, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"code":%d}`, reason, code)
		return true
	})
	w.run(r.Reflector)
	eventually(t, "forbidden", func() bool { return r.Status().Phase == Forbidden })
	if len(r.snapshot()) != 0 {
		t.Error("the objects of the earlier process are still held although the resource is forbidden")
	}
	allowed.Store(true)
	w.converge(r.recorder, "the list")
}

func TestConfirmedObjectsSurviveARefusal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{BookmarkInterval: time.Millisecond})
	w.pod(1, "n0")
	r := w.resume()
	w.run(r.Reflector)
	eventually(t, "synced", r.synced)
	w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
		rw.Header().Set("Content-Type", "application/json")
		rw.WriteHeader(http.StatusForbidden)
		_, _ = rw.Write([]byte(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403}`))
		return true
	})
	w.cluster.CloseWatches()
	eventually(t, "forbidden", func() bool { return r.Status().Phase == Forbidden })
	r.want(t, 1, 0)
}

func TestNoVersionToResumeFromWhileAListIsDue(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{NoWatchList: true})
	w.pod(1, "n0")
	reflector, _ := w.reflector(setup{json: true})
	if v := reflector.ResumeVersion(); v != "" {
		t.Errorf("ResumeVersion is %q before the first list, want none", v)
	}
	frame := make(chan struct{})
	w.countWatches(func(rw http.ResponseWriter, r *http.Request) {
		rw.WriteHeader(http.StatusOK)
		<-frame
		writeFrame(rw, `{"type":"DELETED","object":`+undecodablePod+`}`)
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		reflector.Run(ctx)
	}()
	eventually(t, "a version", func() bool { return reflector.ResumeVersion() != "" })
	close(frame) // the frame may have been the deletion of an object
	eventually(t, "no version", func() bool { return reflector.ResumeVersion() == "" })
	cancel()
	<-done
	if v := reflector.ResumeVersion(); v != "" {
		t.Errorf("ResumeVersion is %q after the end of Run, want none", v)
	}
}
