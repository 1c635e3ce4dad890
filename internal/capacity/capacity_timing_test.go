package capacity

import (
	"bytes"
	"io"
	"testing"

	"github.com/klauspost/compress/gzip"
	corev1 "k8s.io/api/core/v1"

	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/internal/wire"
	"github.com/statefleet/statefleet/resources"
	"github.com/statefleet/statefleet/store"
)

// BenchmarkInflate: what the one who scrapes needs to read a page, on one core.
func BenchmarkInflate(b *testing.B) {
	var pods *Sample
	for _, k := range resources.All() {
		if k.Name() == "pods" {
			r, err := k.Renderer(resources.Filter{})
			if err != nil {
				b.Fatal(err)
			}
			pods = NewSample(r)
		}
	}
	for o := range simulator.Scale(500).Objects() {
		pod, ok := o.(*corev1.Pod)
		if !ok {
			continue
		}
		raw, err := pod.Marshal()
		if err != nil {
			b.Fatal(err)
		}
		if err := pods.Add(wire.Protobuf, raw); err != nil {
			b.Fatal(err)
		}
	}
	pods.Size()
	var page bytes.Buffer
	if err := store.Collect(store.Text, pods.store).WriteGzip(&page); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(store.Collect(store.Text, pods.store).Size())
	for b.Loop() {
		r, err := gzip.NewReader(bytes.NewReader(page.Bytes()))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			b.Fatal(err)
		}
	}
}
