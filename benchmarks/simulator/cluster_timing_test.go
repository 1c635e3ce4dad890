package simulator_test

import (
	"io"
	"net/http"
	"runtime"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/benchmarks/simulator/generator"
)

// newBenchmarkCluster returns a cluster of 2,000 pods.
func newBenchmarkCluster(b *testing.B) *simulator.Cluster {
	b.Helper()
	c, err := generator.NewCluster(2_000, simulator.Options{})
	if err != nil {
		b.Fatal(err)
	}
	return c
}

func BenchmarkPopulate(b *testing.B) {
	b.ReportAllocs()
	var before, after runtime.MemStats
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		c := newBenchmarkCluster(b)
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(c.Len()), "heapB/object")
	}
}

// discardWriter is a ResponseWriter that drops the body and counts its bytes.
type discardWriter struct {
	header http.Header
	bytes  int64
}

func (s *discardWriter) Header() http.Header { return s.header }
func (s *discardWriter) WriteHeader(int)     {}
func (s *discardWriter) Write(p []byte) (int, error) {
	s.bytes += int64(len(p))
	return len(p), nil
}

func benchmarkList(b *testing.B, accept, query string) {
	c := newBenchmarkCluster(b)
	handler := c.Handler()
	request, err := http.NewRequestWithContext(b.Context(), http.MethodGet, "/api/v1/pods"+query, nil)
	if err != nil {
		b.Fatal(err)
	}
	request.Header.Set("Accept", accept)
	b.ReportAllocs()
	var w *discardWriter
	for b.Loop() {
		w = &discardWriter{header: http.Header{}}
		handler.ServeHTTP(w, request)
	}
	b.SetBytes(w.bytes)
}

func BenchmarkListProtobuf(b *testing.B) { benchmarkList(b, "application/vnd.kubernetes.protobuf", "") }
func BenchmarkListOfOneNode(b *testing.B) {
	benchmarkList(b, "application/vnd.kubernetes.protobuf", "?fieldSelector=spec.nodeName=node-00001.eu-west-1b")
}
func BenchmarkListJSON(b *testing.B) { benchmarkList(b, "application/json", "") }

// BenchmarkEvent measures one update of a pod, which eight watchers receive over TCP.
func BenchmarkEvent(b *testing.B) {
	c := newBenchmarkCluster(b)
	server, err := c.Serve("")
	if err != nil {
		b.Fatal(err)
	}
	defer server.Stop()
	watchers := make(chan int64)
	const n = 8
	for range n {
		request, err := http.NewRequestWithContext(b.Context(), http.MethodGet, server.URL()+"/api/v1/pods?watch=true&sendInitialEvents=false&resourceVersionMatch=NotOlderThan", nil)
		if err != nil {
			b.Fatal(err)
		}
		request.Header.Set("Accept", "application/vnd.kubernetes.protobuf")
		response, err := http.DefaultClient.Do(request) //nolint:bodyclose // the goroutine below closes it
		if err != nil {
			b.Fatal(err)
		}
		go func() {
			got, _ := io.Copy(io.Discard, response.Body) // returns when the server stops
			_ = response.Body.Close()
			watchers <- got
		}()
	}
	name := c.Names("pods")[0]
	p := &corev1.Pod{}
	b.ReportAllocs()
	for b.Loop() {
		p.Namespace, p.Name = name.Namespace, name.Name
		if err := c.Modify(p, func() { p.Status.Message = "changed" }); err != nil {
			b.Fatal(err)
		}
	}
	server.Stop()
	for range n {
		<-watchers
	}
	http.DefaultClient.CloseIdleConnections()
}
