package resources

import (
	"encoding/json"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/statefleet/statefleet/internal/wire"
)

// BenchmarkRender renders the bytes of an event to lines, with the default families. The throughput is in bytes of the
// object.
func BenchmarkRender(b *testing.B) {
	pod := typicalPod(b)
	protobuf, err := pod.Marshal()
	if err != nil {
		b.Fatal(err)
	}
	text, err := json.Marshal(pod)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("pod/protobuf", func(b *testing.B) { benchmarkRender(b, pods(), Filter{}, wire.Protobuf, protobuf) })
	b.Run("pod/protobuf/all", func(b *testing.B) { benchmarkRender(b, pods(), everything(b), wire.Protobuf, protobuf) })
	b.Run("pod/json", func(b *testing.B) { benchmarkRender(b, pods(), Filter{}, wire.JSON, text) })
}

func benchmarkRender(b *testing.B, k Kind, f Filter, enc wire.Encoding, raw []byte) {
	r := mustRenderer(b, k, f)
	var l Lines
	b.ReportAllocs()
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if err := r.Render(enc, raw, &l); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(l.Buf)), "textB/op")
}

// BenchmarkCut is the part of BenchmarkRender that cuts the unread fields.
func BenchmarkCut(b *testing.B) {
	raw, err := typicalPod(b).Marshal()
	if err != nil {
		b.Fatal(err)
	}
	r := mustRenderer(b, pods(), Filter{})
	var cut []byte
	b.ReportAllocs()
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if cut, err = r.Mask().Append(cut[:0], wire.Protobuf, raw); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(cut)), "cutB/op")
}

// BenchmarkDecode is the part of BenchmarkRender that decodes the masked object. The families take the remaining time.
func BenchmarkDecode(b *testing.B) {
	raw, err := typicalPod(b).Marshal()
	if err != nil {
		b.Fatal(err)
	}
	cut, err := mustRenderer(b, pods(), Filter{}).Mask().Append(nil, wire.Protobuf, raw)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if err := decode(wire.Protobuf, cut, &corev1.Pod{}); err != nil {
			b.Fatal(err)
		}
	}
}

// typicalPod returns a pod of a Deployment in a cluster with a service mesh: about 7 kB in protobuf, a good part of
// which no family reads.
func typicalPod(t testing.TB) *corev1.Pod {
	t.Helper()
	var p corev1.Pod
	if err := yaml.UnmarshalStrict(readFile(t, "testdata/pod.yaml"), &p); err != nil {
		t.Fatal(err)
	}
	return &p
}
