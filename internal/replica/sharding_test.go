package replica

import (
	"fmt"
	"net/http"
	"slices"
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

// shardingWorld has 600 pods behind an API server that shards; what answers can be replaced.
func shardingWorld(t *testing.T) (w *world, server *atomic.Pointer[http.Handler]) {
	w = newWorld(t)
	w.cluster = simulator.New(simulator.Options{ShardSelector: true})
	server = new(atomic.Pointer[http.Handler])
	handler := w.cluster.Handler()
	server.Store(&handler)
	bend := func(rw http.ResponseWriter, r *http.Request) bool {
		(*server.Load()).ServeHTTP(rw, r)
		return true
	}
	w.bend.Store(&bend)
	for i := range 600 {
		w.pod(i, "n0")
	}
	return w, server
}

// someKinds leaves the replicas few lists.
func someKinds(o *Options) {
	o.Kinds = slices.DeleteFunc(o.Kinds, func(k Kind) bool { return k.Name != "pods" && k.Name != "nodes" && k.Name != "jobs" })
}

// podsOfAll are the pods on the pages of all replicas.
func podsOfAll(replicas []*run) map[string]bool {
	all := map[string]bool{}
	for _, r := range replicas {
		for uid := range podsOn(r.samples()) {
			all[uid] = true
		}
	}
	return all
}

const serverMismatches = "statefleet_server_sharding_mismatches_total"

// TestReplicasOfAServerWithAnotherHashServeEverything: none is ready before it has noticed.
func TestReplicasOfAServerWithAnotherHashServeEverything(t *testing.T) {
	w, server := shardingWorld(t)
	other := w.cluster.HandlerWithOtherHash()
	server.Store(&other)
	var replicas []*run
	for ordinal := range 3 {
		r := w.start(someKinds)
		r.assign(ordinal, 3)
		r.waitReady()
		replicas = append(replicas, r)
	}
	if n := len(podsOfAll(replicas)); n != 600 {
		t.Errorf("%d pods of 600 are on the pages", n)
	}
	for _, r := range replicas {
		if n := r.value(serverMismatches, "", ""); n != 1 {
			t.Errorf("%s %v", serverMismatches, n)
		}
	}
}

// TestServerThatChangesItsHashLosesNoObjects: an API server is upgraded while the replicas watch it. They list again, also
// what was there before.
func TestServerThatChangesItsHashLosesNoObjects(t *testing.T) {
	w, server := shardingWorld(t)
	r := w.start(someKinds)
	r.assign(1, 3)
	r.waitReady()
	before := len(podsOn(r.samples()))
	if before == 0 || before == 600 || r.value(serverMismatches, "", "") != 0 {
		t.Fatalf("%d pods on the page, %v mismatches", before, r.value(serverMismatches, "", ""))
	}
	other := w.cluster.HandlerWithOtherHash()
	server.Store(&other)
	w.cluster.Compact()
	w.cluster.CloseWatches() // what comes now are lists of the other server
	for i := range 600 {
		w.pod(i, "n1")
	}
	eventually(t, "all pods of the shard are on the page", func() bool {
		lines := r.samples()
		updated := 0
		for _, l := range lines {
			if pod := podsOn([]string{l}); len(pod) > 0 && strings.Contains(l, `node="n1"`) {
				updated++
			}
		}
		return updated == before
	})
	if n := r.value(serverMismatches, "", ""); n != 1 {
		t.Errorf("%s %v", serverMismatches, n)
	}
}

// TestMismatchOfOneKindListsAllKinds: the server leaves out nodes, which shows in nothing that it sends of them.
func TestMismatchOfOneKindListsAllKinds(t *testing.T) {
	w, server := shardingWorld(t)
	mine, want := (shard.Assignment{Ordinal: 0, Total: 2}).Ranges(), 0
	for i := range 100 {
		w.put(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("n", i), UID: uid(i)}})
		if mine.Contains(shard.Hash(string(uid(i)))) {
			want++
		}
	}
	pods, narrow := *server.Load(), leavesOut(*server.Load())
	apart := func(pods http.Handler) {
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
	apart(pods)
	r := w.start(someKinds)
	r.assign(0, 2)
	r.waitReady()
	if n := nodes(r); n >= want {
		t.Fatalf("%d nodes on the page, want fewer than %d", n, want)
	}
	apart(w.cluster.HandlerWithOtherHash())
	w.cluster.CloseWatches()
	for i := range 600 {
		w.pod(i, "n1")
	}
	eventually(t, "all nodes of the shard are on the page", func() bool { return nodes(r) == want })
}

// leavesOut is an API server that filters by a part of what it is asked for.
func leavesOut(right http.Handler) http.Handler {
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

// TestNextReplicaOfAProcessKnowsOfTheMismatch: a configuration that is read again makes another Replica, which asks for
// everything and does not list twice.
func TestNextReplicaOfAProcessKnowsOfTheMismatch(t *testing.T) {
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
		r := w.start(func(o *Options) { someKinds(o); o.Metrics = metrics })
		r.assign(0, 3)
		r.waitReady()
		if sent := selectors.Swap(0); (sent > 0) != (round == 0) {
			t.Errorf("replica %d of the process has sent %d selectors", round, sent)
		}
		if n := len(podsOn(r.samples())); n < 150 {
			t.Errorf("replica %d shows %d pods", round, n)
		}
		r.stop()
	}
}

// TestCheckRestoresWhatTheServerLeavesOut: the API server filters by a part of what it is asked for, and no object that it
// sends is wrong.
func TestCheckRestoresWhatTheServerLeavesOut(t *testing.T) {
	w, server := shardingWorld(t)
	narrow := leavesOut(*server.Load())
	server.Store(&narrow)
	r := w.start(func(o *Options) {
		someKinds(o)
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
	eventually(t, "all pods of the shard are on the page", func() bool { return len(podsOn(r.samples())) == want })
	if n := r.value(serverMismatches, "", ""); n != 1 {
		t.Errorf("%s %v", serverMismatches, n)
	}
}
