package watch

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"

	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/internal/wire"
	"github.com/statefleet/statefleet/shard"
)

var podResource = corev1.SchemeGroupVersion.WithResource("pods")

// recorder is a Handler that keeps the newest version of each object.
type recorder struct {
	t        *testing.T
	mu       sync.Mutex
	objects  map[string]string // UID to node name, a stand-in for the content
	puts     int
	replaces int
	lastRefs int // references of the last Replace
	capacity int // see setCapacity

	versions map[string]uint64 // by UID
	owns     func(hash uint64) bool
}

func (r *recorder) Owns(hash uint64, _ []byte) bool { return r.owns(hash) }

func (r *recorder) Put(o Object) bool {
	var pod corev1.Pod
	if o.Encoding == wire.JSON {
		r.check(jsonUnmarshal(o.Raw, &pod))
	} else {
		r.check(pod.Unmarshal(o.Raw))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.puts++
	if _, held := r.objects[string(o.UID)]; !held && r.capacity > 0 && len(r.objects) >= r.capacity {
		return false
	}
	if version := ParseVersion(o.ResourceVersion); version == 0 || version >= r.versions[string(o.UID)] {
		r.objects[string(o.UID)], r.versions[string(o.UID)] = pod.Spec.NodeName, version
	}
	return true
}

func (r *recorder) check(err error) {
	if err != nil {
		r.t.Errorf("cannot decode the object: %v", err)
	}
}

func (r *recorder) Delete(o Object) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.objects, string(o.UID))
}

func (r *recorder) Replace(all []ObjectRef, _ string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.replaces++
	r.lastRefs = len(all)
	named := map[string]bool{}
	for _, ref := range all {
		named[ref.UID] = true
	}
	maps.DeleteFunc(r.objects, func(uid, _ string) bool { return !named[uid] })
}

func (r *recorder) snapshot() map[string]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.objects)
}

func (r *recorder) count(f func(*recorder) int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return f(r)
}

// world is a simulated cluster behind an HTTP server whose requests a test may intercept, with the
// expected state of the cluster.
type world struct {
	t           *testing.T
	cluster     *simulator.Cluster
	server      *httptest.Server
	interceptor atomic.Pointer[func(http.ResponseWriter, *http.Request) bool]
	want        map[string]string // UID to node name
	registry    *prometheus.Registry
}

func newWorld(t *testing.T, o simulator.Options) *world {
	w := &world{t: t, cluster: simulator.New(o), want: map[string]string{}, registry: prometheus.NewPedanticRegistry()}
	handler := w.cluster.Handler()
	w.server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if f := w.interceptor.Load(); f == nil || !(*f)(rw, r) {
			handler.ServeHTTP(rw, r)
		}
	}))
	t.Cleanup(func() {
		w.server.CloseClientConnections()
		w.server.Close()
	})
	return w
}

// intercept passes requests to f, which returns true if it has answered a request itself. nil ends
// the interception.
func (w *world) intercept(f func(http.ResponseWriter, *http.Request) bool) {
	if f == nil {
		w.interceptor.Store(nil)
		return
	}
	w.interceptor.Store(&f)
}

// pod stores a pod with that number on a node.
func (w *world) pod(i int, node string) {
	w.t.Helper()
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprintf("p%d", i), UID: uid(i)},
		Spec:       corev1.PodSpec{NodeName: node},
	}
	if err := w.cluster.Put(p); err != nil {
		w.t.Fatal(err)
	}
	w.want[string(uid(i))] = node
}

func (w *world) removePod(i int) {
	w.t.Helper()
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprintf("p%d", i)}}
	if err := w.cluster.Delete(p); err != nil {
		w.t.Fatal(err)
	}
	delete(w.want, string(uid(i)))
}

// uid returns a UUID that is as random as real ones, because the hash needs random input.
func uid(i int) types.UID {
	r := rand.New(rand.NewPCG(uint64(i), 1))
	return types.UID(fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", r.Uint32(), r.Uint32()>>16, r.Uint32()>>20, r.Uint32()>>20, r.Uint64()>>16))
}

type setup struct {
	json     bool
	ranges   shard.Ranges
	selector bool
	resource string
	form     wire.Form
}

// start runs a Reflector until the test ends.
func (w *world) start(s setup) (*Reflector, *recorder) {
	w.t.Helper()
	reflector, rec := w.reflector(s)
	w.run(reflector)
	return reflector, rec
}

// run runs a Reflector until the test ends.
func (w *world) run(reflector *Reflector) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		reflector.Run(ctx)
	}()
	w.t.Cleanup(func() {
		cancel()
		<-done
	})
}

// fastBackoff retries quickly, so that no test waits long.
func fastBackoff() wait.Backoff {
	return wait.Backoff{Duration: 10 * time.Millisecond, Factor: 2, Jitter: 0.5, Steps: 1 << 20, Cap: 100 * time.Millisecond}
}

func (w *world) reflector(s setup) (*Reflector, *recorder) {
	w.t.Helper()
	config := &rest.Config{Host: w.server.URL, QPS: 1000, Burst: 1000}
	if s.json {
		config.WrapTransport = func(next http.RoundTripper) http.RoundTripper { return jsonOnly{next} }
	}
	client, err := NewClient(config, AcceptBoth)
	if err != nil {
		w.t.Fatal(err)
	}
	if s.ranges == nil {
		s.ranges = shard.All()
	}
	resource := podResource
	if s.resource != "" {
		resource.Resource = s.resource
	}
	rec := &recorder{t: w.t, objects: map[string]string{}, versions: map[string]uint64{}, owns: s.ranges.Contains}
	return New(Options{
		Client:   client,
		Resource: resource,
		Form:     s.form,
		Selector: func() string {
			if s.selector {
				return s.ranges.Selector()
			}
			return ""
		},
		Backoff: fastBackoff(),
		Handler: rec,
		Metrics: NewMetrics(w.registry),
		Logger:  slog.New(slog.DiscardHandler),
	}), rec
}

type jsonOnly struct{ http.RoundTripper }

func (j jsonOnly) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Accept", "application/json")
	return j.RoundTripper.RoundTrip(r)
}

// eventually polls until ok returns true. The timeout is long because tests run in parallel.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	timeout := time.Minute
	if testing.Short() {
		timeout = 10 * time.Second
	}
	for deadline := time.Now().Add(timeout); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("timed out waiting for: %s", what)
}

// converge waits until the recorder has the objects of the cluster.
func (w *world) converge(rec *recorder, what string) {
	w.t.Helper()
	eventually(w.t, what, func() bool { return maps.Equal(rec.snapshot(), w.want) })
}

// value returns a self-metric with these labels.
func (w *world) value(name string, labels map[string]string) float64 {
	w.t.Helper()
	families, err := w.registry.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
	metrics:
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if v, ok := labels[l.GetName()]; ok && v != l.GetValue() {
					continue metrics
				}
			}
			return m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	w.t.Fatalf("no self-metric %s%v", name, labels)
	return 0
}
