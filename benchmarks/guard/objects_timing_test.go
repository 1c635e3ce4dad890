package guard

import (
	"runtime"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes/scheme"

	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/benchmarks/simulator/generator"
	"github.com/statefleet/statefleet/internal/wire"
	"github.com/statefleet/statefleet/resources"
	"github.com/statefleet/statefleet/store"
)

// encoded is an object as encoded by the API server.
type encoded struct {
	resource string
	id       store.ID
	raw      []byte
}

// cluster returns the encoded objects of a generated cluster of 1,000 pods.
func cluster(b *testing.B) []encoded {
	b.Helper()
	resource := map[string]string{}
	for _, k := range simulator.Kinds() {
		resource[k.Kind] = k.Resource
	}
	held := simulator.New(simulator.Options{})
	var all []encoded
	for obj := range generator.Scale(1000).Objects() {
		if err := held.Put(obj); err != nil { // sets its uid and resourceVersion
			b.Fatal(err)
		}
		raw, err := obj.Marshal()
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, encoded{
			resource: resource[kindOf(b, obj)], raw: raw,
			id: store.NewID(string(obj.GetUID()), obj.GetNamespace(), obj.GetName()),
		})
	}
	return all
}

// kindOf returns the kind of an object.
func kindOf(tb testing.TB, obj simulator.Object) string {
	tb.Helper()
	kinds, _, err := scheme.Scheme.ObjectKinds(obj)
	if err != nil {
		tb.Fatal(err)
	}
	return kinds[0].Kind
}

// BenchmarkCluster renders and stores every object of a cluster with the default families. It measures the
// allocations, and the memory and compressed text that are held afterwards.
func BenchmarkCluster(b *testing.B) {
	objects := cluster(b)
	b.ReportAllocs()
	for b.Loop() {
		var before, after runtime.MemStats
		b.StopTimer()
		runtime.GC()
		runtime.ReadMemStats(&before)
		b.StartTimer()
		stores := fill(b, objects)
		b.StopTimer()
		runtime.GC()
		runtime.ReadMemStats(&after)
		var text, compressed int64
		for _, s := range stores {
			text += s.Stats().TextBytes
			compressed += s.Stats().CompressedBytes
		}
		n := float64(len(objects))
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "heap-B/object")
		b.ReportMetric(float64(text)/n, "text-B/object")
		b.ReportMetric(float64(compressed)/n, "compressed-B/object")
		runtime.KeepAlive(stores)
		b.StartTimer()
	}
}

func fill(b *testing.B, objects []encoded) map[string]*store.Store {
	budget := store.NewBudget(8 << 20)
	stores, renderers := map[string]*store.Store{}, map[string]*resources.Renderer{}
	for _, k := range resources.All() {
		r, err := k.Renderer(resources.Filter{})
		if err != nil {
			b.Fatal(err)
		}
		var families []store.Family
		for _, f := range r.Families() {
			families = append(families, store.Family{Name: f.Name, TextHeader: f.TextHeader(), OpenMetricsHeader: f.OpenMetricsHeader()})
		}
		renderers[k.Name()], stores[k.Name()] = r, store.New(families, budget)
	}
	var lines resources.Lines
	for i, o := range objects {
		r := renderers[o.resource]
		if r == nil {
			continue
		}
		if err := r.Render(wire.Protobuf, o.raw, &lines); err != nil {
			b.Fatal(err)
		}
		stores[o.resource].Put(store.Object{ID: o.id, Hash: uint64(i) * 0x9e3779b97f4a7c15, Version: 1}, &store.Lines{Buf: lines.Buf, Ends: lines.Ends})
	}
	for _, s := range stores {
		s.Sweep(0, time.Now())
	}
	return stores
}
