package replica

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/statefleet/statefleet/benchmarks/simulator"
)

// world is a simulated cluster behind an HTTP server whose requests a test may intercept.
type world struct {
	t           *testing.T
	cluster     *simulator.Cluster
	server      *httptest.Server
	backoff     wait.Backoff
	interceptor atomic.Pointer[func(http.ResponseWriter, *http.Request) bool]
}

func newWorld(t *testing.T) *world { return newWorldOn(t, nil) }

// fastBackoff retries quickly, so that no test waits long.
func fastBackoff() wait.Backoff {
	return wait.Backoff{Duration: 5 * time.Millisecond, Factor: 2, Jitter: 0.5, Steps: 100, Cap: 100 * time.Millisecond}
}

// newWorldOn makes the API server listen on listener; nil stands for a loopback port. With a
// listener, time is simulated, and requests are spaced by the default backoff.
func newWorldOn(t *testing.T, listener net.Listener) *world {
	w := &world{t: t, cluster: simulator.New(simulator.Options{})}
	if listener == nil {
		w.backoff = fastBackoff()
	}
	handler := w.cluster.Handler()
	w.server = httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if f := w.interceptor.Load(); f == nil || !(*f)(rw, r) {
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

// intercept passes requests to f, which returns true if it has answered a request itself. nil ends
// the interception.
func (w *world) intercept(f func(http.ResponseWriter, *http.Request) bool) {
	if f == nil {
		w.interceptor.Store(nil)
		return
	}
	w.interceptor.Store(&f)
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

func (w *world) deletePod(p *corev1.Pod) {
	w.t.Helper()
	if err := w.cluster.Delete(p); err != nil {
		w.t.Fatal(err)
	}
}

// listsPods makes the server answer lists of pods with this text, and reject watches of pods.
func (w *world) listsPods(list string) {
	w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
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
	})
}

// uid returns a UUID that is as random as real ones, because the hash needs random input.
func uid(i int) types.UID {
	r := rand.New(rand.NewPCG(uint64(i), 1))
	return types.UID(fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", r.Uint32(), r.Uint32()>>16, r.Uint32()>>20, r.Uint32()>>20, r.Uint64()>>16))
}

// addPods adds n pods to a namespace. Their UIDs are those of from and the following numbers.
func (w *world) addPods(namespace string, from, n int) {
	w.t.Helper()
	for i := range n {
		w.put(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("p%05d", i), UID: uid(from + i)}})
	}
}

// namespace creates or updates a namespace.
func (w *world) namespace(name, team string) {
	w.t.Helper()
	w.put(teamNamespace(name, team))
}

func teamNamespace(name, team string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"team": team}}}
}

// podCount is the number of pods in a populatedWorld.
const podCount = 300

// populatedWorld has enough pods for each of several replicas to own some.
func populatedWorld(t *testing.T) *world { return populatedWorldOn(t, nil) }

func populatedWorldOn(t *testing.T, listener net.Listener) *world {
	w := newWorldOn(t, listener)
	for i := range podCount {
		w.pod(i, "n0")
	}
	return w
}

// refuse answers with 403.
func refuse(w http.ResponseWriter) bool {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusForbidden)
	_, _ = w.Write([]byte(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403}`))
	return true
}

// silentWatch answers a watch and sends no events.
func silentWatch(rw http.ResponseWriter, r *http.Request) bool {
	query := r.URL.Query()
	if query.Get("watch") == "" || query.Get("sendInitialEvents") != "" {
		return false
	}
	rw.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(rw).Flush()
	<-r.Context().Done()
	return true
}

// abort ends the connection without an answer.
func abort() bool {
	panic(http.ErrAbortHandler) //nolint:forbidigo // net/http expects it
}
