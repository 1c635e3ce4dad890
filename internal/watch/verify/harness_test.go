package verify

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"

	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/internal/watch"
)

// intercept answers a request itself and returns true, or leaves it to the cluster.
type intercept func(w http.ResponseWriter, r *http.Request) bool

// world is a simulated cluster and the Set of its namespaces.
type world struct {
	t         *testing.T
	cluster   *simulator.Cluster
	server    *httptest.Server
	intercept atomic.Pointer[intercept]
	registry  *prometheus.Registry
	set       *Set

	mu   sync.Mutex
	held map[string]string // versions of the namespaces, as the Set's Handler received them
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, cluster: simulator.New(simulator.Options{}), registry: prometheus.NewPedanticRegistry(), held: map[string]string{}}
	handler := w.cluster.Handler()
	w.server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if f := w.intercept.Load(); f == nil || !(*f)(rw, r) {
			handler.ServeHTTP(rw, r)
		}
	}))
	t.Cleanup(func() {
		w.server.CloseClientConnections()
		w.server.Close()
	})
	return w
}

func (w *world) interceptWith(f intercept) { w.intercept.Store(&f) }

// Owns implements watch.Handler.
func (w *world) Owns(uint64, []byte) bool { return true }

// Put implements watch.Handler.
func (w *world) Put(o watch.Object) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held[string(o.Name)] = string(o.ResourceVersion)
	return true
}

// Delete implements watch.Handler.
func (w *world) Delete(o watch.Object) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.held, string(o.Name))
}

// Replace implements watch.Handler.
func (w *world) Replace(all []watch.ObjectRef, _ string) {
	listed := map[string]bool{}
	for _, ref := range all {
		listed[ref.Name] = true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	maps.DeleteFunc(w.held, func(name, _ string) bool { return !listed[name] })
}

func (w *world) holds(want map[string]string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Equal(w.held, want)
}

// start runs a Set that is verified all the time, until the test ends.
func (w *world) start() {
	w.t.Helper()
	client, err := watch.NewClient(&rest.Config{Host: w.server.URL, QPS: 1000, Burst: 1000}, watch.AcceptBoth)
	if err != nil {
		w.t.Fatal(err)
	}
	v := New(Options{Every: time.Millisecond, Grace: time.Millisecond, Metrics: NewMetrics(w.registry)})
	w.set = NewSet(v, watch.Options{
		Client:   client,
		Resource: corev1.SchemeGroupVersion.WithResource("namespaces"),
		Selector: func() string { return "" },
		Backoff:  wait.Backoff{Duration: 10 * time.Millisecond, Factor: 2, Steps: 1 << 20, Cap: 100 * time.Millisecond},
		Handler:  w,
		Metrics:  watch.NewMetrics(w.registry),
		Logger:   slog.New(slog.NewTextHandler(io.Discard, nil)),
	}, func() bool { return false })
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.set.Run(ctx)
	}()
	w.t.Cleanup(func() {
		cancel()
		<-done
	})
}

// put creates or changes a namespace and returns its version.
func put(t *testing.T, c *simulator.Cluster, name string) string {
	t.Helper()
	o := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if err := c.Put(o); err != nil {
		t.Fatal(err)
	}
	return o.ResourceVersion
}

func remove(t *testing.T, c *simulator.Cluster, name string) {
	t.Helper()
	if err := c.Delete(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
		t.Fatal(err)
	}
}

// count returns the sum of a self-metric over its series with this label value; 0 if there is none.
func (w *world) count(name, label string) (sum float64) {
	w.t.Helper()
	families, err := w.registry.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.GetName() == name && l.GetValue() == label {
					sum += m.GetCounter().GetValue()
				}
			}
		}
	}
	return sum
}

func (w *world) results(r result) float64 {
	return w.count("statefleet_consistency_checks_total", string(r))
}

func (w *world) differences(of string) float64 {
	return w.count("statefleet_consistency_differences_total", of)
}

func (w *world) waitFor(what string, ok func() bool) {
	w.t.Helper()
	timeout := time.Minute // long, because tests run in parallel
	if testing.Short() {
		timeout = 10 * time.Second
	}
	for deadline := time.Now().Add(timeout); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	w.t.Fatalf("timed out waiting for: %s", what)
}

func (w *world) waitHolds(what string, want map[string]string) {
	w.t.Helper()
	w.waitFor(what, func() bool { return w.holds(want) })
}

func (w *world) waitResult(r result) {
	w.t.Helper()
	w.waitFor("result "+string(r), func() bool { return w.results(r) > 0 })
}

// silentWatches answers watches and sends no events. Streamed lists are left to the cluster.
func silentWatches(rw http.ResponseWriter, r *http.Request) bool {
	query := r.URL.Query()
	if query.Get("watch") == "" || query.Get("sendInitialEvents") != "" {
		return false
	}
	rw.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(rw).Flush()
	<-r.Context().Done()
	return true
}

// refuseComparisons refuses the lists of comparisons.
func refuseComparisons(rw http.ResponseWriter, r *http.Request) bool {
	refused := r.URL.Query().Get("limit") != ""
	if refused {
		http.Error(rw, "no", http.StatusForbidden)
	}
	return refused
}

// restore makes another cluster answer from now on. Its versions are lower, and watches from a
// version that it does not have yet receive nothing. Comparisons are refused once refuse is set.
func (w *world) restore(backup *simulator.Cluster) (refuse *atomic.Bool) {
	handler := backup.Handler()
	refuse = new(atomic.Bool)
	w.interceptWith(func(rw http.ResponseWriter, r *http.Request) bool {
		from := watch.ParseVersion(r.URL.Query().Get("resourceVersion"))
		switch {
		case refuse.Load() && refuseComparisons(rw, r):
		case from <= backup.ResourceVersion() || !silentWatches(rw, r):
			handler.ServeHTTP(rw, r)
		}
		return true
	})
	w.cluster.CloseWatches()
	return refuse
}
