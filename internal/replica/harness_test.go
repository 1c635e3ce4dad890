package replica

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"log/slog"
	"maps"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/rest"

	"github.com/statefleet/statefleet/internal/watch/verify"
	"github.com/statefleet/statefleet/resources"
	"github.com/statefleet/statefleet/shard"
	"github.com/statefleet/statefleet/store"
)

// run is a replica that runs until the test ends.
type run struct {
	*Replica
	t        *testing.T
	registry *prometheus.Registry
	stop     func() // ends the replica before the test ends
}

// verify makes the replica verify each kind at this interval, with this grace for events in
// transit.
func (o *Options) verify(every, grace time.Duration) {
	o.Verifier = verify.New(verify.Options{Every: every, Grace: grace, Metrics: o.Metrics.Verify()})
}

func podsOnly(o *Options) { o.only("pods") }

// only removes all kinds but these.
func (o *Options) only(names ...string) {
	o.Kinds = slices.DeleteFunc(o.Kinds, func(k Kind) bool { return !slices.Contains(names, k.Name) })
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
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.Run(ctx)
	}()
	stop := sync.OnceFunc(func() {
		cancel()
		<-done
	})
	w.t.Cleanup(stop)
	return &run{Replica: r, t: w.t, registry: registry, stop: stop}
}

// startUpdated starts a replica with one of three shards of the pods, and waits until its watch has
// received an event of each pod.
func (w *world) startUpdated(change func(*Options)) *run {
	w.t.Helper()
	r := w.start(func(o *Options) {
		o.only("pods", "nodes")
		change(o)
	})
	r.Follow(plan(0, 3, 3))
	r.waitReady()
	for i := range podCount {
		w.pod(i, "n1")
	}
	eventually(w.t, "all pods on n1", func() bool { return !strings.Contains(strings.Join(r.samples(), "\n"), `node="n0"`) })
	return r
}

// startVerified starts a replica that exports pods and verifies them all the time.
func (w *world) startVerified(change func(*Options)) *run {
	r := w.start(func(o *Options) {
		podsOnly(o)
		o.verify(time.Millisecond, time.Millisecond)
		if change != nil {
			change(o)
		}
	})
	r.assign(0, 1)
	r.waitReady()
	return r
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
	r.Follow(shard.Uncoordinated(shard.Assignment{Ordinal: shardNumber, Total: total}))
}

func (r *run) waitReady() {
	r.t.Helper()
	eventually(r.t, "ready", func() bool { return r.Ready() == nil })
}

// samples returns the sorted sample lines of the exposition, or none if the replica does not serve.
// A duplicate line fails the test.
func (r *run) samples() []string {
	r.t.Helper()
	snapshot, err := r.Snapshot(store.Text, allKinds)
	if err != nil {
		return nil
	}
	var body bytes.Buffer
	if err := snapshot.WriteGzip(&body); err != nil {
		r.t.Fatal(err)
	}
	z, err := gzip.NewReader(&body)
	if err != nil {
		r.t.Fatal(err)
	}
	return samplesOf(r.t, z)
}

func samplesOf(t *testing.T, exposition io.Reader) []string {
	t.Helper()
	var lines []string
	for s := bufio.NewScanner(exposition); s.Scan(); {
		if !strings.HasPrefix(s.Text(), "#") {
			lines = append(lines, s.Text())
		}
	}
	sort.Strings(lines)
	for i := 1; i < len(lines); i++ {
		if lines[i] == lines[i-1] {
			t.Fatalf("duplicate line: %s", lines[i])
		}
	}
	return lines
}

// podsIn returns the UIDs of the pods in an exposition.
func podsIn(lines []string) map[string]bool {
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

// eventually polls until ok returns true. The timeout is long because tests run in parallel.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	timeout := 2 * time.Minute
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

// rendered returns how many versions of objects were decoded and stored.
func (r *run) rendered() float64 {
	r.t.Helper()
	return r.value("statefleet_updates_total", "result", "changed") + r.value("statefleet_updates_total", "result", "unchanged")
}

// value returns the sum of a self-metric over its series with this label value.
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
		r.t.Fatalf("no self-metric %s with %s=%q", name, label, value)
	}
	return sum
}

func (r *run) podsHeld() int {
	return int(r.value("statefleet_objects", "resource", "pods") + r.value("statefleet_objects_hidden", "resource", "pods"))
}

func (r *run) podsRunOn(node string) bool {
	return slices.ContainsFunc(r.samples(), func(l string) bool {
		return strings.HasPrefix(l, "kube_pod_info{") && strings.Contains(l, `node="`+node+`"`)
	})
}

func plan(ordinal, active, target int) shard.Plan {
	return shard.Plan{Ordinal: ordinal, Active: active, Target: target}
}

func (r *run) waitHolds(p shard.Plan) {
	r.t.Helper()
	eventually(r.t, "all of the plan is held", func() bool { return r.Holds(p).All })
}

// wantServes fails the test unless the exposition has exactly the pods of a shard.
func (r *run) wantServes(ordinal, total int) {
	r.t.Helper()
	want := expected(shard.Assignment{Ordinal: ordinal, Total: total}, podCount)
	if got := podsIn(r.samples()); !maps.Equal(got, want) {
		r.t.Errorf("exposition has %d pods, want the %d of shard %d of %d", len(got), len(want), ordinal, total)
	}
}

func (r *run) waitServes(total int) {
	r.t.Helper()
	want := expected(shard.Assignment{Ordinal: 0, Total: total}, podCount)
	eventually(r.t, "the shard is served", func() bool { return maps.Equal(podsIn(r.samples()), want) })
}

// expected returns the UIDs of the pods of a shard.
func expected(a shard.Assignment, pods int) map[string]bool {
	all := map[string]bool{}
	for i := range pods {
		if a.Ranges().Contains(shard.Hash(string(uid(i)))) {
			all[string(uid(i))] = true
		}
	}
	return all
}

func idOf(i int) store.ID { return store.NewID(string(uid(i)), "", "") }

func allKinds(string) bool { return true }
