package wire

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestReadMeta(t *testing.T) {
	for _, enc := range encodings {
		m, err := ReadMeta(enc, bytesOf(t, enc, examplePod(1)))
		if err != nil {
			t.Errorf("%s: %v", enc, err)
		}
		checkMeta(t, m, &examplePod(1).ObjectMeta)
	}
}

func checkMeta(t *testing.T, m Meta, want *metav1.ObjectMeta) {
	t.Helper()
	if string(m.Namespace) != want.Namespace || string(m.Name) != want.Name || string(m.UID) != string(want.UID) ||
		string(m.ResourceVersion) != want.ResourceVersion {
		t.Errorf("got %s/%s %s %s, want %+v", m.Namespace, m.Name, m.UID, m.ResourceVersion, want)
	}
}

func TestInitialEventsEnd(t *testing.T) {
	f := func(annotations map[string]string, want bool) {
		t.Helper()
		for _, enc := range encodings {
			p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Annotations: annotations, ResourceVersion: "7"}}
			end, err := InitialEventsEnd(enc, bytesOf(t, enc, p))
			if err != nil || end != want {
				t.Errorf("%s, %v: got %t, error %v, want %t", enc, annotations, end, err, want)
			}
		}
	}
	f(nil, false)
	f(map[string]string{"k8s.io/initial-events-end": "true"}, true)
	f(map[string]string{"a": "b", "k8s.io/initial-events-end": "true", "z": ""}, true)
	f(map[string]string{"k8s.io/initial-events-end": "false"}, false)
	f(map[string]string{"other": "k8s.io/initial-events-end"}, false)
	f(map[string]string{"k8s.io/initial-events-ending": "true"}, false)
}

// Encoders write the fields in order, but ReadMeta does not depend on that.
func TestReadMetaOfFieldsInAnyOrder(t *testing.T) {
	want := examplePod(1)
	metadata, err := want.ObjectMeta.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	m, err := protobufMeta(reverseFields(t, metadata))
	if err != nil {
		t.Fatal(err)
	}
	checkMeta(t, m, &want.ObjectMeta)
}

// ReadMeta accepts all forms that JSON allows.
func TestReadMetaJSONForms(t *testing.T) {
	f := func(object, name string, ok bool) {
		t.Helper()
		m, err := ReadMeta(JSON, []byte(object))
		if (err == nil) != ok || string(m.Name) != name {
			t.Errorf("%s: got name %q, error %v; want %q, success: %t", object, m.Name, err, name, ok)
		}
	}
	f(`{"metadata":{"name":"a"}}`, "a", true)
	f(" {\n\t\"spec\" : [ { \"metadata\":{\"name\":\"no\"} } ] , \"metadata\" : { \"name\" : \"a\" } } ", "a", true)
	f(`{"metadata":{"name":"\u0061\"b"}}`, `a"b`, true)
	f(`{"metadata":{"name":null}}`, "", true)
	f(`{"metadata":null}`, "", true)
	f(`{}`, "", true)
	f(`{"metadata":{"name":"a"`, "", false)
	f(`{"metadata":{"name":"a}}`, "", false)
	f(`{"metadata" {"name":"a"}}`, "", false)
	f(`[]`, "", false)
	f(`null`, "", false)
	f(``, "", false)
}

// An object that ends within its metadata gives an error or an empty identity, never a wrong one.
func TestReadMetaOfTruncatedObject(t *testing.T) {
	want := examplePod(1)
	for _, enc := range encodings {
		raw := bytesOf(t, enc, want)
		for n := range raw {
			m, err := ReadMeta(enc, raw[:n])
			if err == nil && string(m.UID) != string(want.UID) && len(m.UID) > 0 {
				t.Fatalf("%s, %d of %d bytes: got UID %s, want %s or none", enc, n, len(raw), m.UID, want.UID)
			}
			if err == nil && len(m.Name) > 0 && len(m.UID) == 0 {
				t.Fatalf("%s, %d of %d bytes: got name %s without a UID", enc, n, len(raw), m.Name)
			}
		}
	}
}

// No input makes ReadMeta or InitialEventsEnd panic. They agree with the generated decoder on an object that it accepts
// and that is encoded again.
func FuzzMeta(f *testing.F) {
	for _, enc := range encodings {
		f.Add(bytesOf(f, enc, smallPod()), enc == JSON)
	}
	bookmark := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{initialEventsEnd: "true"}}}
	f.Add(bytesOf(f, Protobuf, bookmark), false)
	f.Fuzz(func(t *testing.T, raw []byte, isJSON bool) {
		enc := Protobuf
		if isJSON {
			enc = JSON
		}
		_, _ = ReadMeta(enc, raw)
		_, _ = InitialEventsEnd(enc, raw)
		p, err := decodePod(enc, raw)
		if err != nil {
			return
		}
		clean, err := marshalPod(enc, p)
		if err != nil {
			return
		}
		m, err := ReadMeta(enc, clean)
		if err != nil {
			t.Fatalf("%q: %v", clean, err)
		}
		if isJSON {
			if p, err = decodePod(enc, clean); err != nil { // the encoder has replaced invalid UTF-8
				t.Fatal(err)
			}
		}
		checkMeta(t, m, &p.ObjectMeta)
		end, err := InitialEventsEnd(enc, clean)
		if err != nil || end != (p.Annotations[initialEventsEnd] == "true") {
			t.Fatalf("%q: InitialEventsEnd: got %t, error %v", clean, end, err)
		}
	})
}
