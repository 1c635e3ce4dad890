package simulator

import (
	"bufio"
	"bytes"
	"encoding/json"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	serializerjson "k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/scheme"
)

// library encodes with the serializers that a kube-apiserver uses.
func library(t *testing.T, f form, obj runtime.Object) []byte {
	t.Helper()
	var out bytes.Buffer
	var err error
	switch f.(type) {
	case protobufForm:
		err = protobuf.NewSerializerWithOptions(scheme.Scheme, scheme.Scheme, protobuf.SerializerOptions{StreamingCollectionsEncoding: true}).Encode(obj, &out)
	default:
		options := serializerjson.SerializerOptions{StreamingCollectionsEncoding: true}
		err = serializerjson.NewSerializerWithOptions(serializerjson.DefaultMetaFactory, scheme.Scheme, scheme.Scheme, options).Encode(obj, &out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// libraryFrame is a frame of a kube-apiserver's watch.
func libraryFrame(t *testing.T, f form, typ watch.EventType, obj runtime.Object) []byte {
	t.Helper()
	var out bytes.Buffer
	wrapped := metav1.WatchEvent{Type: string(typ), Object: runtime.RawExtension{Raw: library(t, f, obj)}}
	if _, ok := f.(jsonForm); ok {
		if err := json.NewEncoder(&out).Encode(&wrapped); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	framer := protobuf.LengthDelimitedFramer.NewFrameWriter(&out)
	if err := protobuf.NewRawSerializer(scheme.Scheme, scheme.Scheme).Encode(&wrapped, framer); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func written(t *testing.T, write func(*bufio.Writer) error) []byte {
	t.Helper()
	var out bytes.Buffer
	w := bufio.NewWriterSize(&out, 64) // small, so that heads do not fit
	if err := write(w); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func same(t *testing.T, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

func wirePod() *corev1.Pod {
	p := pod("ns", "a <&> pod") // characters that encoding/json escapes
	p.UID, p.ResourceVersion = "00000000-0000-4000-8000-000000000000", "7"
	return p
}

func TestAnswersAreTheBytesOfAKubeAPIServer(t *testing.T) {
	kind := Kind{GroupVersionKind: corev1.SchemeGroupVersion.WithKind("Pod"), Resource: "pods", Namespaced: true}
	o, err := encodeObject(wirePod(), 7)
	if err != nil {
		t.Fatal(err)
	}
	typed := wirePod()
	typed.SetGroupVersionKind(kind.GroupVersionKind)
	status := asStatus(tooOldVersion(1, 2))
	status.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
	for name, f := range map[string]form{"protobuf": protobufForm{}, "json": jsonForm{}} {
		t.Run(name, func(t *testing.T) {
			same(t, "object", written(t, func(w *bufio.Writer) error { return f.writeObject(w, kind, o) }), library(t, f, typed))
			same(t, "message", written(t, func(w *bufio.Writer) error { return f.writeMessage(w, statusKind(), status) }), library(t, f, status))
			same(t, "event", written(t, func(w *bufio.Writer) error { return f.writeEvent(w, kind, watch.Added, &event{object: o}) }),
				libraryFrame(t, f, watch.Added, typed))
			same(t, "error event", written(t, func(w *bufio.Writer) error {
				return f.writeMessageEvent(w, watch.Error, statusKind(), status)
			}), libraryFrame(t, f, watch.Error, status))
			for _, n := range []int{0, 1, 40} {
				list := &corev1.PodList{
					TypeMeta: metav1.TypeMeta{Kind: "PodList", APIVersion: "v1"},
					ListMeta: metav1.ListMeta{ResourceVersion: "9", ShardInfo: &metav1.ShardInfo{Selector: "s"}},
					Items:    []corev1.Pod{},
				}
				var items snapshot
				for range n {
					list.Items, items = append(list.Items, *wirePod()), append(items, o)
				}
				same(t, "list", written(t, func(w *bufio.Writer) error { return f.writeList(w, kind, list.ListMeta, items) }), library(t, f, list))
			}
		})
	}
}

func TestNegotiate(t *testing.T) {
	f := func(accept, want string) {
		t.Helper()
		got := "none"
		if form, ok := negotiate(accept); ok {
			got = form.mediaType()
		}
		if got != want {
			t.Errorf("Accept %q: got %s, want %s", accept, got, want)
		}
	}
	const asJSON, asProtobuf = "application/json", "application/vnd.kubernetes.protobuf"
	f("", asJSON)
	f("*/*", asJSON)
	f("application/*", asJSON)
	f("application/vnd.kubernetes.protobuf", asProtobuf)
	f("application/vnd.kubernetes.protobuf,application/json", asProtobuf)
	f("application/vnd.kubernetes.protobuf;q=0.5,application/json", asJSON)
	f("application/vnd.kubernetes.protobuf;stream=watch", asProtobuf)
	f("application/vnd.kubernetes.protobuf;stream=other, application/json", asJSON)
	f("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", asJSON)
	f("application/cbor,application/vnd.kubernetes.protobuf", asProtobuf)
	f("application/yaml", "none")
	f("text/html;;;", "none")
}
