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
				t.Errorf("%s, %v: %v, error %v", enc, annotations, end, err)
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

// TestReadMetaOfFieldsInAnyOrder: encoders keep the order, and others are understood.
func TestReadMetaOfFieldsInAnyOrder(t *testing.T) {
	want := examplePod(1)
	metadata, err := want.ObjectMeta.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	m, err := protobufMeta(backwards(t, metadata))
	if err != nil {
		t.Fatal(err)
	}
	checkMeta(t, m, &want.ObjectMeta)
}

// TestReadMetaJSONForms: what else JSON allows, and what it does not.
func TestReadMetaJSONForms(t *testing.T) {
	f := func(object, name string, ok bool) {
		t.Helper()
		m, err := ReadMeta(JSON, []byte(object))
		if (err == nil) != ok || string(m.Name) != name {
			t.Errorf("%s: name %q, error %v", object, m.Name, err)
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

// TestReadMetaOfTruncatedObject: an object that ends before its metadata does
// has no identity or is an error; it never has a wrong one.
func TestReadMetaOfTruncatedObject(t *testing.T) {
	want := examplePod(1)
	for _, enc := range encodings {
		raw := bytesOf(t, enc, want)
		for n := range raw {
			m, err := ReadMeta(enc, raw[:n])
			if err == nil && string(m.UID) != string(want.UID) && len(m.UID) > 0 {
				t.Fatalf("%s, %d bytes: uid %s", enc, n, m.UID)
			}
			if err == nil && len(m.Name) > 0 && len(m.UID) == 0 {
				t.Fatalf("%s, %d bytes: a name and no uid", enc, n)
			}
		}
	}
}

// FuzzMeta: no input panics, and of what decodes as an object and is encoded
// again, ReadMeta and InitialEventsEnd see what the decoder sees.
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
			if p, err = decodePod(enc, clean); err != nil { // with what is no UTF-8 replaced
				t.Fatal(err)
			}
		}
		checkMeta(t, m, &p.ObjectMeta)
		end, err := InitialEventsEnd(enc, clean)
		if err != nil || end != (p.Annotations[initialEventsEnd] == "true") {
			t.Fatalf("%q: %v, error %v", clean, end, err)
		}
	})
}
