package replica

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"sort"
	"strings"
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
	"github.com/statefleet/statefleet/internal/watch/verify"
	"github.com/statefleet/statefleet/resources"
	"github.com/statefleet/statefleet/shard"
	"github.com/statefleet/statefleet/store"
)

// world is a simulated cluster behind a server that a test may bend.
type world struct {
	t       *testing.T
	cluster *simulator.Cluster
	server  *httptest.Server
	backoff wait.Backoff
	bend    atomic.Pointer[func(http.ResponseWriter, *http.Request) bool]
}

func newWorld(t *testing.T) *world { return newWorldOn(t, nil) }

// soon spaces requests so that no test waits long for the next one.
func soon() wait.Backoff {
	return wait.Backoff{Duration: 5 * time.Millisecond, Factor: 2, Jitter: 0.5, Steps: 100, Cap: 100 * time.Millisecond}
}

// newWorldOn has its API server listen there; nil is a port of loopback. Elsewhere time is simulated, and
// requests are spaced as in the program.
func newWorldOn(t *testing.T, listener net.Listener) *world {
	w := &world{t: t, cluster: simulator.New(simulator.Options{})}
	if listener == nil {
		w.backoff = soon()
	}
	handler := w.cluster.Handler()
	w.server = httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if bend := w.bend.Load(); bend == nil || !(*bend)(rw, r) {
			handler.ServeHTTP(rw, r)
		}
	}))
	if listener != nil {
		_ = w.server.Listener.Close()
		w.server.Listener = listener
	}
	w.server.Start()
	t.Cleanup(func() {
		w.server.CloseClientConnections()
		w.server.Close()
	})
	return w
}

func (w *world) pod(i int, node string) {
	w.t.Helper()
	w.put(&corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: fmt.Sprintf("ns%d", i%3), Name: fmt.Sprintf("p%d", i), UID: uid(i)},
		Spec:       corev1.PodSpec{NodeName: node},
	})
}

func (w *world) put(o simulator.Object) {
	w.t.Helper()
	if err := w.cluster.Put(o); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) removePod(i int) {
	w.t.Helper()
	if err := w.cluster.Delete(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: fmt.Sprintf("ns%d", i%3), Name: fmt.Sprintf("p%d", i)}}); err != nil {
		w.t.Fatal(err)
	}
}

// listsPods has the server answer lists of pods with this text, and refuse watches of
// them.
func (w *world) listsPods(list string) {
	bend := func(rw http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/pods") {
			return false
		}
		if r.URL.Query().Get("watch") != "" {
			http.Error(rw, "no", http.StatusUnprocessableEntity)
			return true
		}
		rw.Header().Set("Content-Type", "application/json")
		_, _ = rw.Write([]byte(list))
		return true
	}
	w.bend.Store(&bend)
}

// uid is a UUID that looks as random as real ones, which the hash relies on.
func uid(i int) types.UID {
	r := rand.New(rand.NewPCG(uint64(i), 1))
	return types.UID(fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", r.Uint32(), r.Uint32()>>16, r.Uint32()>>20, r.Uint32()>>20, r.Uint64()>>16))
}

// run is a replica that runs until the test ends.
type run struct {
	*Replica
	t        *testing.T
	registry *prometheus.Registry
	stop     func() // before the test ends
}

// verify has a replica compare each kind so often, and take so long for events on their way.
func (o *Options) verify(every, grace time.Duration) {
	o.Verifier = verify.New(verify.Options{Every: every, Grace: grace, Metrics: o.Metrics.Verify()})
}

func (w *world) start(change func(*Options)) *run {
	w.t.Helper()
	registry := prometheus.NewPedanticRegistry()
	o := Options{
		Config:   &rest.Config{Host: w.server.URL, QPS: 1000, Burst: 1000},
		Kinds:    builtin(w.t, resources.All()),
		RawBytes: 1 << 20,
		Backoff:  w.backoff,
		Logger:   slog.New(slog.DiscardHandler),
		Metrics:  NewMetrics(registry),
	}
	if change != nil {
		change(&o)
	}
	r, err := New(o)
	if err != nil {
		w.t.Fatal(err)
	}
	o.Metrics.SetSource(r)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("Run: %v", err)
		}
	})
	w.t.Cleanup(stop)
	return &run{Replica: r, t: w.t, registry: registry, stop: stop}
}

func builtin(t *testing.T, kinds []resources.Kind) []Kind {
	t.Helper()
	all, err := Builtin(kinds, resources.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func (r *run) assign(shardNumber, total int) {
	r.t.Helper()
	r.Assign(shard.Assignment{Ordinal: shardNumber, Total: total})
}

func (r *run) waitReady() {
	r.t.Helper()
	eventually(r.t, "ready", func() bool { return r.Ready() == nil })
}

// samples returns the page's sample lines, sorted, none when there is no page; a
// line that stands on it twice is an error.
func (r *run) samples() []string {
	r.t.Helper()
	page, err := r.Collect(store.Text, func(string) bool { return true })
	if err != nil {
		return nil
	}
	var body bytes.Buffer
	if err := page.WriteGzip(&body); err != nil {
		r.t.Fatal(err)
	}
	z, err := gzip.NewReader(&body)
	if err != nil {
		r.t.Fatal(err)
	}
	return samplesOf(r.t, z)
}

func samplesOf(t *testing.T, page io.Reader) []string {
	t.Helper()
	var lines []string
	for s := bufio.NewScanner(page); s.Scan(); {
		if !strings.HasPrefix(s.Text(), "#") {
			lines = append(lines, s.Text())
		}
	}
	sort.Strings(lines)
	for i := 1; i < len(lines); i++ {
		if lines[i] == lines[i-1] {
			t.Fatalf("twice on the page: %s", lines[i])
		}
	}
	return lines
}

// podsOn returns the UIDs of the pods that the page shows.
func podsOn(lines []string) map[string]bool {
	uids := map[string]bool{}
	for _, l := range lines {
		if strings.HasPrefix(l, "kube_pod_info{") {
			_, rest, _ := strings.Cut(l, `uid="`)
			uid, _, _ := strings.Cut(rest, `"`)
			uids[uid] = true
		}
	}
	return uids
}

// eventually polls until ok. Tests run side by side, so that one may wait for many.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	patience := 2 * time.Minute
	if testing.Short() { // nothing else makes the machine slow
		patience = 10 * time.Second
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("not in time: %s", what)
}

// rendered is how many versions of objects were decoded and stored.
func (r *run) rendered() float64 {
	r.t.Helper()
	return r.value("statefleet_updates_total", "result", "changed") + r.value("statefleet_updates_total", "result", "unchanged")
}

func (r *run) value(name, label, value string) float64 {
	r.t.Helper()
	families, err := r.registry.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	sum, found := 0.0, false
	for _, f := range families {
		for _, m := range f.GetMetric() {
			match := label == ""
			for _, l := range m.GetLabel() {
				match = match || l.GetName() == label && l.GetValue() == value
			}
			if f.GetName() == name && match {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
				found = true
			}
		}
	}
	if !found {
		r.t.Fatalf("no self-metric %s", name)
	}
	return sum
}
