package capacity

import (
	"bytes"
	"io"
	"testing"

	"github.com/klauspost/compress/gzip"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"

	"github.com/statefleet/statefleet/benchmarks/simulator/generator"
	"github.com/statefleet/statefleet/internal/wire"
	"github.com/statefleet/statefleet/resources"
	"github.com/statefleet/statefleet/store"
)

// BenchmarkDecompress measures the cost for a client to decompress a scrape, on one core.
func BenchmarkDecompress(b *testing.B) {
	var pods *sample
	for _, k := range resources.All() {
		if k.Name() == "pods" {
			r, err := k.Renderer(resources.Filter{})
			if err != nil {
				b.Fatal(err)
			}
			pods = newSample(r)
		}
	}
	for o := range generator.Scale(500).Objects() {
		pod, ok := o.(*corev1.Pod)
		if !ok {
			continue
		}
		raw, err := pod.Marshal()
		if err != nil {
			b.Fatal(err)
		}
		if err := pods.add(wire.Protobuf, raw); err != nil {
			b.Fatal(err)
		}
	}
	pods.size()
	var exposition bytes.Buffer
	if err := store.TakeSnapshot(store.Text, pods.store).WriteGzip(&exposition); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(store.TakeSnapshot(store.Text, pods.store).Size())
	for b.Loop() {
		r, err := gzip.NewReader(bytes.NewReader(exposition.Bytes()))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMetadata measures the cost for a consistency check to read one object of a metadata list, on one core.
func BenchmarkMetadata(b *testing.B) {
	var list metav1.PartialObjectMetadataList
	for o := range generator.Scale(100).Objects() {
		list.Items = append(list.Items, *meta.AsPartialObjectMetadata(o))
	}
	list.APIVersion, list.Kind = "meta.k8s.io/v1", "PartialObjectMetadataList"
	scheme := runtime.NewScheme()
	if err := metav1.AddMetaToScheme(scheme); err != nil {
		b.Fatal(err)
	}
	var body bytes.Buffer
	if err := protobuf.NewSerializer(scheme, scheme).Encode(&list, &body); err != nil {
		b.Fatal(err)
	}
	objects := 0
	for b.Loop() {
		objects = 0
		_, err := wire.ReadList(bytes.NewReader(body.Bytes()), func(enc wire.Encoding, raw []byte) error {
			_, err := wire.ReadMeta(enc, raw)
			objects++
			return err
		})
		if err != nil || objects != len(list.Items) {
			b.Fatalf("read %d of %d objects: %v", objects, len(list.Items), err)
		}
	}
	b.ReportMetric(float64(body.Len())/float64(objects), "B/object")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*objects), "ns/object")
}
