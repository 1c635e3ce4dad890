package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/kubernetes/scheme"
)

var encodings = []Encoding{Protobuf, JSON}

// examplePod returns a pod of about 7 kB, with the fields that make pods large: managed fields,
// environment variables and annotations.
func examplePod(i int) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: fmt.Sprintf("pod-%d", i), Namespace: "default", UID: "3f0c5b1e-0000-4000-8000-000000000001",
			ResourceVersion: fmt.Sprint(1000 + i), CreationTimestamp: metav1.NewTime(time.Unix(1700000000, 0)),
			Labels: map[string]string{"app": "web", "tier": "front"},
			Annotations: map[string]string{
				"a": "b", "kubectl.kubernetes.io/last-applied-configuration": strings.Repeat(`{"x":"y"}`, 100),
			},
			ManagedFields: []metav1.ManagedFieldsEntry{{
				Manager: "kubelet", FieldsV1: metav1.NewFieldsV1(`{"f:status":{"f:conditions":` + strings.Repeat(`{"f:x":`, 200) + "{}" + strings.Repeat("}", 200) + "}}"),
			}},
		},
		Spec: corev1.PodSpec{
			NodeName: "node-1",
			Volumes:  []corev1.Volume{{Name: "data"}},
		},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, PodIP: "10.0.0.1",
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, Message: "fine"}},
		},
	}
	for c := range 3 {
		container := corev1.Container{
			Name: fmt.Sprintf("c%d", c), Image: "example.com/image:1",
			Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{"cpu": resource.MustParse("100m"), "memory": resource.MustParse("1Gi")}},
		}
		for e := range 20 {
			container.Env = append(container.Env, corev1.EnvVar{Name: fmt.Sprintf("VARIABLE_%d", e), Value: strings.Repeat("v", 30)})
		}
		p.Spec.Containers = append(p.Spec.Containers, container)
		p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, corev1.ContainerStatus{Name: container.Name, Ready: true})
	}
	p.Spec.EphemeralContainers = []corev1.EphemeralContainer{{
		EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "debug", Image: "busybox"}, TargetContainerName: "c0",
	}}
	return p
}

// bytesOf encodes an object. For Protobuf, the result is the message without an envelope.
func bytesOf(t testing.TB, enc Encoding, o interface{ Marshal() ([]byte, error) }) []byte {
	t.Helper()
	var b []byte
	var err error
	if enc == JSON {
		b, err = json.Marshal(o)
	} else {
		b, err = o.Marshal()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// envelope encodes an object as an API server sends it. For Protobuf, the result has an envelope.
func envelope(t testing.TB, enc Encoding, o runtime.Object) []byte {
	t.Helper()
	var b bytes.Buffer
	var err error
	if enc == JSON {
		err = json.NewEncoder(&b).Encode(o)
	} else {
		err = protobuf.NewSerializer(scheme.Scheme, scheme.Scheme).Encode(o, &b)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// frame returns a watch event as an API server sends it.
func frame(t testing.TB, enc Encoding, kind string, o runtime.Object) []byte {
	t.Helper()
	return rawFrame(t, enc, kind, envelope(t, enc, o))
}

// reverseFields returns a message with its fields in the reverse order.
func reverseFields(t *testing.T, message []byte) []byte {
	t.Helper()
	var reversed []byte
	for len(message) > 0 {
		f, err := nextField(message)
		if err != nil {
			t.Fatal(err)
		}
		reversed = append(slices.Clone(message[:f.size]), reversed...)
		message = message[f.size:]
	}
	return reversed
}

func rawFrame(t testing.TB, enc Encoding, kind string, object []byte) []byte {
	t.Helper()
	event := metav1.WatchEvent{Type: kind, Object: runtime.RawExtension{Raw: object}}
	b := bytesOf(t, enc, &event)
	if enc == JSON {
		return append(b, '\n')
	}
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)
}
