package watch

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/shard"
)

// versionRecorder is a Handler that keeps the version that it received last, by name.
type versionRecorder struct {
	mu       sync.Mutex
	versions map[string]string
}

func (r *versionRecorder) Put(o Object) (room bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.versions[string(o.Name)] = string(o.ResourceVersion)
	return true
}

func (r *versionRecorder) Delete(o Object) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.versions, string(o.Name))
}

func (r *versionRecorder) Replace(all []ObjectRef, _ string) {
	listed := map[string]bool{}
	for _, h := range all {
		listed[h.Name] = true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.versions, func(name, _ string) bool { return !listed[name] })
}

// is reports whether it holds these versions and no others.
func (r *versionRecorder) is(want map[string]string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Equal(r.versions, want)
}

// checkedNamespaces is a Checked of the namespaces of a world, checked all the time.
type checkedNamespaces struct {
	*world
	*versionRecorder
	checked *Checked
	n       CheckCounters
}

func (w *world) checkNamespaces() *checkedNamespaces {
	w.t.Helper()
	client, err := NewClient(&rest.Config{Host: w.server.URL, QPS: 1000, Burst: 1000}, AcceptBoth)
	if err != nil {
		w.t.Fatal(err)
	}
	counter := func() prometheus.Counter { return prometheus.NewCounter(prometheus.CounterOpts{Name: "n"}) }
	c := &checkedNamespaces{world: w, versionRecorder: &versionRecorder{versions: map[string]string{}}}
	c.n = CheckCounters{counter(), counter(), counter(), counter(), counter(), counter(), counter()}
	c.checked = NewChecked(Options{
		Client:   client,
		Resource: corev1.SchemeGroupVersion.WithResource("namespaces"),
		Owned:    shard.All().Contains,
		Selector: func() string { return "" },
		Backoff:  soon(),
		Handler:  c.versionRecorder,
		Metrics:  NewMetrics(w.registry),
		Logger:   slog.New(slog.DiscardHandler),
	}, CheckOptions{Every: time.Millisecond, Grace: time.Millisecond, Counters: c.n})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.checked.Run(ctx)
	}()
	w.t.Cleanup(func() {
		cancel()
		<-done
	})
	return c
}

// namespace makes or changes a namespace, and returns its version.
func namespace(t *testing.T, c *simulator.Cluster, name string) string {
	t.Helper()
	o := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if err := c.Put(o); err != nil {
		t.Fatal(err)
	}
	return o.ResourceVersion
}

func (c *checkedNamespaces) holds(what string, want map[string]string) {
	c.t.Helper()
	eventually(c.t, what, func() bool { return c.is(want) })
}

func counted(t *testing.T, what string, n prometheus.Counter) {
	t.Helper()
	eventually(t, what, func() bool { return testutil.ToFloat64(n) > 0 })
}

// deaf answers a watch as a connection does that brings nothing. Streamed lists go on
// as watches that do.
func deaf(rw http.ResponseWriter, r *http.Request) bool {
	query := r.URL.Query()
	if query.Get("watch") == "" || query.Get("sendInitialEvents") != "" {
		return false
	}
	rw.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(rw).Flush()
	<-r.Context().Done()
	return true
}

// unchecked refuses the lists of checks.
func unchecked(rw http.ResponseWriter, r *http.Request) bool {
	refused := r.URL.Query().Get("limit") != ""
	if refused {
		http.Error(rw, "no", http.StatusForbidden)
	}
	return refused
}

// backup has the world served by another cluster from here on, whose versions are
// older. Watches from a version that it does not have yet bring nothing. Once blind
// is set, no check is made.
func (w *world) backup(b *simulator.Cluster) (blind *atomic.Bool) {
	handler := b.Handler()
	blind = new(atomic.Bool)
	w.setBend(func(rw http.ResponseWriter, r *http.Request) bool {
		query := r.URL.Query()
		switch {
		case blind.Load() && unchecked(rw, r):
		case ParseVersion(query.Get("resourceVersion")) <= b.ResourceVersion() || !deaf(rw, r):
			handler.ServeHTTP(rw, r)
		}
		return true
	})
	w.cluster.CloseWatches()
	return blind
}
