package simulator

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	serializerjson "k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/scheme"
)

// encode encodes a typed object with the serializers that a kube-apiserver uses.
func encode(t *testing.T, mediaType string, obj runtime.Object) []byte {
	t.Helper()
	var out bytes.Buffer
	var err error
	if mediaType == runtime.ContentTypeProtobuf {
		options := protobuf.SerializerOptions{StreamingCollectionsEncoding: true}
		err = protobuf.NewSerializerWithOptions(scheme.Scheme, scheme.Scheme, options).Encode(obj, &out)
	} else {
		options := serializerjson.SerializerOptions{StreamingCollectionsEncoding: true}
		err = serializerjson.NewSerializerWithOptions(serializerjson.DefaultMetaFactory, scheme.Scheme, scheme.Scheme, options).Encode(obj, &out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// encodeFrame returns a watch frame as a kube-apiserver encodes it.
func encodeFrame(t *testing.T, mediaType string, typ watch.EventType, obj runtime.Object) []byte {
	t.Helper()
	var out bytes.Buffer
	wrapped := metav1.WatchEvent{Type: string(typ), Object: runtime.RawExtension{Raw: encode(t, mediaType, obj)}}
	if mediaType == runtime.ContentTypeJSON {
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

func checkBytes(t *testing.T, target string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", target, got, want)
	}
}

func wirePod(i int) *corev1.Pod {
	return pod("ns", fmt.Sprintf("a <&> pod %02d", i)) // characters that encoding/json escapes
}

func TestResponsesAreTheBytesOfAKubeAPIServer(t *testing.T) {
	for _, mediaType := range []string{runtime.ContentTypeProtobuf, runtime.ContentTypeJSON} {
		t.Run(mediaType, func(t *testing.T) {
			c := New(Options{ShardSelector: true, LogEvents: 50})
			list := &corev1.PodList{TypeMeta: metav1.TypeMeta{Kind: "PodList", APIVersion: "v1"}, Items: []corev1.Pod{}}
			get := func(target string, want []byte) {
				t.Helper()
				ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond) // ends watches
				defer cancel()
				request := httptest.NewRequestWithContext(ctx, http.MethodGet, target, nil)
				request.Header.Set("Accept", mediaType)
				recorder := httptest.NewRecorder()
				c.Handler().ServeHTTP(recorder, request)
				checkBytes(t, target, recorder.Body.Bytes(), want)
			}
			for _, n := range []int{0, 1, 40} {
				for len(list.Items) < n {
					p := wirePod(len(list.Items))
					put(t, c, p)
					list.Items = append(list.Items, *p)
				}
				list.ListMeta = metav1.ListMeta{ResourceVersion: formatVersion(c.ResourceVersion())}
				get("/api/v1/pods", encode(t, mediaType, list))
				list.ShardInfo = &metav1.ShardInfo{Selector: wholeRange}
				get("/api/v1/pods?shardSelector="+url.QueryEscape(wholeRange), encode(t, mediaType, list))
			}
			typed := list.Items[39].DeepCopy()
			typed.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Pod"))
			get("/api/v1/namespaces/ns/pods/"+url.PathEscape(typed.Name), encode(t, mediaType, typed))
			get("/api/v1/pods?watch=true&resourceVersion="+list.Items[38].ResourceVersion, encodeFrame(t, mediaType, watch.Added, typed))
			get("/openapi/v3", encode(t, mediaType, asStatus(errUnknownPath())))
			get("/api/v1/pods?watch=true&resourceVersion=99", encodeFrame(t, mediaType, watch.Error, asStatus(tooLargeVersion(99, 41))))
		})
	}
}

func TestNegotiate(t *testing.T) {
	f := func(accept, want string) {
		t.Helper()
		got := "none"
		if e, ok := negotiate(newEncodings(), accept); ok {
			got = e.MediaType
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
