package replica

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/statefleet/statefleet/watch"
)

// follower starts a replica with one of three shards of the pods, whose watch has brought something: client-go lists
// anew after a short watch that has not.
func (w *world) follower(change func(*Options)) *run {
	w.t.Helper()
	r := w.start(func(o *Options) {
		o.Kinds = slices.DeleteFunc(o.Kinds, func(k Kind) bool { return k.Name != "pods" && k.Name != "nodes" })
		change(o)
	})
	r.Follow(plan(0, 3, 3))
	r.waitReady()
	for i := range planned {
		w.pod(i, "n1")
	}
	eventually(w.t, "updates", func() bool { return !strings.Contains(strings.Join(r.samples(), "\n"), `node="n0"`) })
	return r
}

// TestKindThatIsRefusedDoesNotHoldAChangeUp: a watch goes on when the right to it is taken away, until the gain needs
// another one.
func TestKindThatIsRefusedDoesNotHoldAChangeUp(t *testing.T) {
	for name, refused := range map[string]func(watch bool) bool{
		"lists and watches": func(bool) bool { return true },
		"lists":             func(watch bool) bool { return !watch },
	} {
		t.Run(name, func(t *testing.T) {
			w := plannedWorld(t)
			r := w.follower(func(o *Options) { o.Patience = time.Millisecond })
			bend := func(rw http.ResponseWriter, req *http.Request) bool {
				return strings.HasSuffix(req.URL.Path, "/pods") && refused(req.URL.Query().Get("watch") != "") && refuse(rw)
			}
			w.bend.Store(&bend)
			r.Follow(plan(0, 3, 2))
			r.waitHolds(plan(0, 3, 2))
			r.Follow(plan(0, 2, 2))
			w.bend.Store(nil)
			r.waitServes(2)
		})
	}
}

// TestVersionsThatGoBackDoNotHoldAChangeUp: the list of what is gained is older than what is known, as often as it is
// asked for, and nothing is checked before the change has come to an end.
func TestVersionsThatGoBackDoNotHoldAChangeUp(t *testing.T) {
	w, backup := plannedWorld(t), plannedWorld(t)
	r := w.follower(func(o *Options) { o.CheckEvery, o.CheckGrace = 100*time.Millisecond, time.Millisecond })
	bend := func(rw http.ResponseWriter, req *http.Request) bool { //nolint:unparam // what bends may also decline
		query := req.URL.Query()
		if query.Get("watch") != "" && watch.ParseVersion(query.Get("resourceVersion")) > backup.cluster.ResourceVersion() {
			rw.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(rw).Flush()
			<-req.Context().Done()
			return true
		}
		backup.cluster.Handler().ServeHTTP(rw, req)
		return true
	}
	w.bend.Store(&bend)
	w.cluster.CloseWatches()
	r.Follow(plan(0, 3, 2))
	r.waitHolds(plan(0, 3, 2))
	r.Follow(plan(0, 2, 2))
	eventually(t, "what the backup has", func() bool { return !r.podsRunOn("n1") })
	r.serves(0, 2)
}

// TestWhatIsDeletedWhileAGainIsListedDoesNotComeBack: the pages of a list are all of one moment, and any number of
// deletions may come before the last of them.
func TestWhatIsDeletedWhileAGainIsListedDoesNotComeBack(t *testing.T) {
	w := plannedWorld(t)
	const many = planned + 4*generation
	for i := planned; i < many; i++ {
		w.pod(i, "n1")
	}
	r := w.follower(func(*Options) {})
	asked, answer := make(chan struct{}), make(chan struct{})
	bend := func(rw http.ResponseWriter, req *http.Request) bool {
		if q := req.URL.Query(); !strings.HasSuffix(req.URL.Path, "/pods") || q.Get("limit") == "" || q.Get("continue") != "" {
			return false
		}
		page := httptest.NewRecorder()
		w.cluster.Handler().ServeHTTP(page, req)
		close(asked)
		<-answer
		maps.Copy(rw.Header(), page.Header())
		_, _ = rw.Write(page.Body.Bytes())
		return true
	}
	w.bend.Store(&bend)
	r.Follow(plan(0, 1, 1))
	<-asked
	for i := range many - 1 {
		w.removePod(i)
	}
	w.pod(many, "n2")
	eventually(t, "the last event", func() bool { return r.podsHeld() <= 2 })
	close(answer)
	r.waitHolds(plan(0, 1, 1))
	if n := r.podsHeld(); n != 2 {
		t.Errorf("%d pods are held, want 2", n)
	}
}

func (r *run) podsHeld() int {
	return int(r.value("statefleet_objects", "resource", "pods") + r.value("statefleet_objects_hidden", "resource", "pods"))
}
