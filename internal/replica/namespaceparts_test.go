package replica

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/statefleet/statefleet/internal/testing/faketime"
)

// interceptPods passes the requests for the pods below a path to f.
func (w *world) interceptPods(below string, f func(http.ResponseWriter, *http.Request) bool) {
	w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
		return strings.HasSuffix(r.URL.Path, below+"/pods") && f(rw, r)
	})
}

// firstPage answers only the first page of a list, with this many objects, and no watch.
func (w *world) firstPage(objects int) func(http.ResponseWriter, *http.Request) bool {
	return func(rw http.ResponseWriter, r *http.Request) bool {
		q := r.URL.Query()
		if q.Get("watch") != "" || q.Get("continue") != "" {
			http.Error(rw, "no", http.StatusInternalServerError)
			return true
		}
		q.Set("limit", fmt.Sprint(objects))
		page := r.Clone(r.Context())
		page.URL.RawQuery = q.Encode()
		w.cluster.Handler().ServeHTTP(rw, page)
		return true
	}
}

// wantPods fails the test unless this many pods are exposed, held but hidden, and counted as such.
func (r *run) wantPods(when string, visible, hidden int) {
	r.t.Helper()
	counted, countedHidden := r.value("statefleet_objects", "resource", "pods"), r.value("statefleet_objects_hidden", "resource", "pods")
	if n := len(podsIn(r.samples())); n != visible || int(counted) != visible || int(countedHidden) != hidden {
		r.t.Errorf("%s: %d pods are visible, self-metrics have %v visible and %v hidden, want %d visible and %d hidden",
			when, n, counted, countedHidden, visible, hidden)
	}
	for _, k := range r.Overview().Kinds {
		if k.Name == "pods" && (k.Objects != visible || k.HiddenObjects != hidden || (k.TextBytes > 0) != (visible > 0)) {
			r.t.Errorf("%s: the overview has %d visible and %d hidden pods and %d bytes", when, k.Objects, k.HiddenObjects, k.TextBytes)
		}
	}
}

// TestNamespaceThatIsRefusedAtFirstBecomesVisibleAtOnce covers a namespace that the API server forbids
// at the start. When it can be listed, nothing of it is visible before its list is complete.
func TestNamespaceThatIsRefusedAtFirstBecomesVisibleAtOnce(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		network := newPipes()
		w := populatedWorldOn(t, network)
		w.interceptPods("/ns1", func(rw http.ResponseWriter, _ *http.Request) bool { return refuse(rw) })
		r := w.start(func(o *Options) {
			podsOnly(o)
			o.Config.Dial = network.dial
			o.Namespaces = []string{"ns0", "ns1", "ns2"}
		})
		r.assign(0, 1)
		time.Sleep(15 * time.Second)
		if err := r.Ready(); err != nil {
			t.Fatal(err)
		}
		r.wantPods("while a namespace is forbidden", 200, 0)
		w.interceptPods("/ns1", w.firstPage(30))
		time.Sleep(15 * time.Second)
		r.wantPods("after the first page", 200, 30)
		w.intercept(nil)
		time.Sleep(15 * time.Second)
		r.wantPods("after the list", podCount, 0)

		// Without a shard, the replica drops all objects. The namespace is forbidden when it gets one again.
		r.Follow(plan(1, 1, 1))
		time.Sleep(time.Second)
		w.interceptPods("/ns1", func(rw http.ResponseWriter, _ *http.Request) bool { return refuse(rw) })
		r.assign(0, 1)
		time.Sleep(15 * time.Second)
		r.wantPods("while a namespace is forbidden again", 200, 0)
		w.interceptPods("/ns1", w.firstPage(30))
		time.Sleep(15 * time.Second)
		r.wantPods("after the first page of another list", 200, 30)
	})
}

// TestNamespaceThatIsPermittedBeforeItsKindIsVisible covers a namespace that the API server forbids at the
// start and whose list is being read when the other namespaces of the kind are complete. Its objects are
// not hidden one by one then, so the kind waits for them.
func TestNamespaceThatIsPermittedBeforeItsKindIsVisible(t *testing.T) {
	for name, c := range map[string]struct {
		refused bool // the rest of the list
		visible int
	}{
		"list is complete":  {false, podCount},
		"list is cut short": {true, podCount * 2 / 3},
	} {
		t.Run(name, func(t *testing.T) {
			faketime.Test(t, func(t *testing.T) {
				network := newPipes()
				w := populatedWorldOn(t, network)
				firstPage, others, rest := w.firstPage(30), make(chan struct{}), make(chan struct{})
				var permitted, cutShort atomic.Bool
				w.interceptPods("", func(rw http.ResponseWriter, r *http.Request) bool {
					q := r.URL.Query()
					switch {
					case !strings.HasSuffix(r.URL.Path, "/ns1/pods"):
						<-others
						return false
					case !permitted.Load() || cutShort.Load():
						return refuse(rw)
					case q.Get("continue") == "" && !isClosed(rest):
						return firstPage(rw, r)
					}
					<-rest
					return c.refused && refuse(rw)
				})
				r := w.start(func(o *Options) {
					podsOnly(o)
					o.Config.Dial = network.dial
					o.Namespaces = []string{"ns0", "ns1", "ns2"}
				})
				r.assign(0, 1)
				time.Sleep(15 * time.Second)
				permitted.Store(true)
				time.Sleep(15 * time.Second)
				close(others)
				time.Sleep(time.Second)
				r.wantPods("after the first page", 0, 230)
				if r.Ready() == nil {
					t.Error("ready without a namespace that is being listed")
				}
				cutShort.Store(c.refused)
				close(rest)
				time.Sleep(30 * time.Second)
				if err := r.Ready(); err != nil {
					t.Error(err)
				}
				r.wantPods("at the end", c.visible, 0)
			})
		})
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// TestNamespacesShareBucketsAtTheStart checks that namespaces which are listed at the start are not kept
// apart: each would have a bucket of its own.
func TestNamespacesShareBucketsAtTheStart(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		network := newPipes()
		w := newWorldOn(t, network)
		var namespaces []string
		for i := range 40 {
			namespace := fmt.Sprintf("ns%d", i)
			w.addPods(namespace, 10*i, 3)
			namespaces = append(namespaces, namespace)
		}
		r := w.start(func(o *Options) {
			podsOnly(o)
			o.Config.Dial = network.dial
			o.Namespaces = namespaces
		})
		for _, when := range []string{"at the start", "with a shard again"} {
			r.assign(0, 1)
			time.Sleep(time.Second)
			r.wantPods(when, 120, 0)
			if n := r.current()[0].store.Stats().Buckets; n != 2 {
				t.Errorf("%s, 120 pods in %d namespaces take %d buckets, want 2", when, len(namespaces), n)
			}
			r.Follow(plan(1, 1, 1)) // no shard
			time.Sleep(time.Second)
			if !r.isHidden(r.current()[0]) {
				t.Error("a kind without objects is visible")
			}
		}
	})
}

// TestKindThatIsIncompleteAgainStaysHidden covers a namespace that is permitted when its kind is about to
// become visible.
func TestKindThatIsIncompleteAgainStaysHidden(t *testing.T) {
	w := newWorld(t)
	r := w.start(podsOnly)
	k := r.current()[0]
	if r.showComplete() || k.show() || !r.isHidden(k) {
		t.Error("a kind that is incomplete became visible, or readiness does not wait for it")
	}
}

// TestNamespaceThatIsSelectedLaterBecomesVisibleAtOnce covers a namespace whose labels begin to match
// the namespace selector.
func TestNamespaceThatIsSelectedLaterBecomesVisibleAtOnce(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		network := newPipes()
		w := populatedWorldOn(t, network)
		w.namespace("ns0", "a")
		w.namespace("ns1", "b")
		r := w.start(func(o *Options) {
			podsOnly(o)
			o.Config.Dial = network.dial
			o.NamespaceSelector = selectTeamA(t)
		})
		r.assign(0, 1)
		r.waitReady()
		r.wantPods("at the start", 100, 0)
		w.interceptPods("", w.firstPage(130))
		w.namespace("ns1", "a")
		time.Sleep(namespaceDebounce / 2)
		w.pod(1, "n1") // in ns1
		time.Sleep(namespaceDebounce / 4)
		r.wantPods("before the list", 100, 0)
		time.Sleep(15 * time.Second)
		r.wantPods("after the first page", 100, 30)
		w.intercept(nil)
		time.Sleep(15 * time.Second)
		r.wantPods("after the list", 200, 0)
	})
}

// TestNamespacesAreVerifiedBesideAForbiddenOne covers a namespace in --namespaces that the API server
// forbids, for example because it does not exist yet.
func TestNamespacesAreVerifiedBesideAForbiddenOne(t *testing.T) {
	w := newWorld(t)
	for i := range 9 {
		w.pod(i, "n0")
	}
	w.interceptPods("/ns1", func(rw http.ResponseWriter, _ *http.Request) bool { return refuse(rw) })
	r := w.startVerified(func(o *Options) {
		o.Namespaces, o.ForbiddenGrace = []string{"ns0", "ns1", "ns2"}, time.Millisecond
	})
	eventually(t, "a verification without differences", func() bool { return r.checks(checkEqual) > 0 })
	r.current()[0].store.Delete(idOf(5)) // in ns2
	eventually(t, "the missing pod is restored", func() bool { return podsIn(r.samples())[string(uid(5))] })
	if n := r.checks(checkFailed); n > 0 {
		t.Errorf("%v verifications failed, want none", n)
	}
}
