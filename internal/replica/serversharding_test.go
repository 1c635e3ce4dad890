package replica

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/shard"
)

// shardingWorld has 600 pods behind an API server that shards, whose handler can be replaced.
func shardingWorld(t *testing.T) (w *world, server *atomic.Pointer[http.Handler]) {
	w = newWorld(t)
	w.cluster = simulator.New(simulator.Options{ShardSelector: true})
	server = new(atomic.Pointer[http.Handler])
	handler := w.cluster.Handler()
	server.Store(&handler)
	w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
		(*server.Load()).ServeHTTP(rw, r)
		return true
	})
	for i := range 600 {
		w.pod(i, "n0")
	}
	return w, server
}

// fewKinds reduces the number of lists.
func fewKinds(o *Options) {
	o.only("pods", "nodes", "jobs")
}

// podsOfAll returns the pods in the expositions of all replicas.
func podsOfAll(replicas []*run) map[string]bool {
	all := map[string]bool{}
	for _, r := range replicas {
		for uid := range podsIn(r.samples()) {
			all[uid] = true
		}
	}
	return all
}

const serverMismatches = "statefleet_server_sharding_mismatches_total"

// TestServerWithAnotherHashLosesNoObjects checks that each replica detects the mismatch before it
// is ready.
func TestServerWithAnotherHashLosesNoObjects(t *testing.T) {
	w, server := shardingWorld(t)
	other := w.cluster.HandlerWithOtherHash()
	server.Store(&other)
	var replicas []*run
	for ordinal := range 3 {
		r := w.start(fewKinds)
		r.assign(ordinal, 3)
		r.waitReady()
		replicas = append(replicas, r)
	}
	if n := len(podsOfAll(replicas)); n != 600 {
		t.Errorf("the replicas serve %d pods in total, want 600", n)
	}
	for _, r := range replicas {
		if n := r.value(serverMismatches, "", ""); n != 1 {
			t.Errorf("%s is %v, want 1", serverMismatches, n)
		}
	}
}

// TestServerThatChangesItsHashLosesNoObjects upgrades an API server while a replica watches it. The
// replica must relist all objects.
func TestServerThatChangesItsHashLosesNoObjects(t *testing.T) {
	w, server := shardingWorld(t)
	r := w.start(fewKinds)
	r.assign(1, 3)
	r.waitReady()
	before := len(podsIn(r.samples()))
	if before == 0 || before == 600 || r.value(serverMismatches, "", "") != 0 {
		t.Fatalf("got %d visible pods and %v mismatches, want a part of 600 and none", before, r.value(serverMismatches, "", ""))
	}
	other := w.cluster.HandlerWithOtherHash()
	server.Store(&other)
	w.cluster.Compact()
	w.cluster.CloseWatches() // the next lists come from the other server
	for i := range 600 {
		w.pod(i, "n1")
	}
	eventually(t, "all pods of the shard are visible", func() bool {
		lines := r.samples()
		updated := 0
		for _, l := range lines {
			if pod := podsIn([]string{l}); len(pod) > 0 && strings.Contains(l, `node="n1"`) {
				updated++
			}
		}
		return updated == before
	})
	if n := r.value(serverMismatches, "", ""); n != 1 {
		t.Errorf("%s is %v, want 1", serverMismatches, n)
	}
}

// TestMismatchOfOneKindRelistsAllKinds checks nodes, of which the server silently leaves out some.
// Only the lists of pods reveal the mismatch.
func TestMismatchOfOneKindRelistsAllKinds(t *testing.T) {
	w, server := shardingWorld(t)
	mine, want := (shard.Assignment{Ordinal: 0, Total: 2}).Ranges(), 0
	for i := range 100 {
		w.put(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("n", i), UID: uid(i)}})
		if mine.Contains(shard.Hash(string(uid(i)))) {
			want++
		}
	}
	pods, narrow := *server.Load(), filterByPart(*server.Load())
	serve := func(pods http.Handler) {
		handler := http.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/nodes") {
				narrow.ServeHTTP(rw, r)
			} else {
				pods.ServeHTTP(rw, r)
			}
		}))
		server.Store(&handler)
	}
	nodes := func(r *run) (n int) {
		for _, l := range r.samples() {
			if strings.HasPrefix(l, "kube_node_info{") {
				n++
			}
		}
		return n
	}
	serve(pods)
	r := w.start(fewKinds)
	r.assign(0, 2)
	r.waitReady()
	if n := nodes(r); n >= want {
		t.Fatalf("%d nodes are visible, want fewer than %d", n, want)
	}
	serve(w.cluster.HandlerWithOtherHash())
	w.cluster.CloseWatches()
	for i := range 600 {
		w.pod(i, "n1")
	}
	eventually(t, "all nodes of the shard are visible", func() bool { return nodes(r) == want })
}

// filterByPart returns an API server that applies only a part of the selector that it was sent.
func filterByPart(right http.Handler) http.Handler {
	part := shard.Ranges{{Start: 1 << 61, End: 1 << 62}}.Selector()
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		if query.Get("shardSelector") != "" {
			query.Set("shardSelector", part)
			r = r.Clone(r.Context())
			r.URL.RawQuery = query.Encode()
		}
		right.ServeHTTP(rw, r)
	})
}

// TestMismatchIsRememberedByNextReplica checks the Replica that follows a reload of the
// configuration: it sends no selector, and lists once.
func TestMismatchIsRememberedByNextReplica(t *testing.T) {
	w, server := shardingWorld(t)
	var selectors atomic.Int32
	other := w.cluster.HandlerWithOtherHash()
	counting := http.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("shardSelector") != "" {
			selectors.Add(1)
		}
		other.ServeHTTP(rw, r)
	}))
	server.Store(&counting)
	metrics := NewMetrics(prometheus.NewPedanticRegistry())
	for round := range 2 {
		r := w.start(func(o *Options) { fewKinds(o); o.Metrics = metrics })
		r.assign(0, 3)
		r.waitReady()
		if sent := selectors.Swap(0); (sent > 0) != (round == 0) {
			t.Errorf("replica %d has sent %d selectors, want some from replica 0 only", round, sent)
		}
		if n := len(podsIn(r.samples())); n < 150 {
			t.Errorf("replica %d serves %d pods, want a third of 600", round, n)
		}
		r.stop()
	}
}

// TestVerifierFindsObjectsLeftOutByTheServer covers an API server that applies a part of the
// selector, so that all objects it sends match.
func TestVerifierFindsObjectsLeftOutByTheServer(t *testing.T) {
	w, server := shardingWorld(t)
	narrow := filterByPart(*server.Load())
	server.Store(&narrow)
	r := w.start(func(o *Options) {
		fewKinds(o)
		o.verify(30*time.Millisecond, time.Millisecond)
	})
	r.assign(0, 2)
	r.waitReady()
	want := 0
	for i := range 600 {
		if (shard.Assignment{Ordinal: 0, Total: 2}).Ranges().Contains(shard.Hash(string(uid(i)))) {
			want++
		}
	}
	eventually(t, "all pods of the shard are visible", func() bool { return len(podsIn(r.samples())) == want })
	if n := r.value(serverMismatches, "", ""); n != 1 {
		t.Errorf("%s is %v, want 1", serverMismatches, n)
	}
}
