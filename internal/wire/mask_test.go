package wire

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/diff"
	kjson "sigs.k8s.io/json"
)

var podType = reflect.TypeFor[corev1.Pod]()

func mustMask(t testing.TB, paths string, options ...Option) *Mask {
	t.Helper()
	m, err := NewMask(podType, strings.Fields(paths), options...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func decodePod(enc Encoding, b []byte) (*corev1.Pod, error) {
	p := &corev1.Pod{}
	if enc == JSON {
		return p, kjson.UnmarshalCaseSensitivePreserveInts(b, p)
	}
	return p, p.Unmarshal(b)
}

// The test compares a masked pod with a pod that has only the kept fields.
func TestMask(t *testing.T) {
	f := func(paths string, keep func(from, to *corev1.Pod), options ...Option) {
		t.Helper()
		m := mustMask(t, paths, options...)
		want := &corev1.Pod{}
		keep(examplePod(1), want)
		for _, enc := range encodings {
			raw := bytesOf(t, enc, examplePod(1))
			cut, err := m.Append(nil, enc, raw)
			if err != nil {
				t.Errorf("%s, %s: %v", paths, enc, err)
				continue
			}
			if len(cut) > len(raw) {
				t.Errorf("%s, %s: got %d bytes, want at most %d", paths, enc, len(cut), len(raw))
			}
			got, err := decodePod(enc, cut)
			if err != nil || !equality.Semantic.DeepEqual(got, want) {
				t.Errorf("%s, %s: error %v\n%s", paths, enc, err, diff.Diff(got, want))
			}
		}
	}
	f("", func(from, to *corev1.Pod) {})
	f("metadata.name", func(from, to *corev1.Pod) { to.Name = from.Name })
	f("status", func(from, to *corev1.Pod) { to.Status = from.Status })
	f("status status.phase", func(from, to *corev1.Pod) { to.Status = from.Status })
	f("status.phase status", func(from, to *corev1.Pod) { to.Status = from.Status })
	f("metadata.labels metadata.creationTimestamp", func(from, to *corev1.Pod) {
		to.Labels, to.CreationTimestamp = from.Labels, from.CreationTimestamp
	})
	f("spec.containers.name spec.containers.resources.requests", func(from, to *corev1.Pod) {
		for _, c := range from.Spec.Containers {
			to.Spec.Containers = append(to.Spec.Containers, corev1.Container{
				Name: c.Name, Resources: corev1.ResourceRequirements{Requests: c.Resources.Requests},
			})
		}
	})
	// An inlined struct is a message of its own in protobuf and not in JSON.
	f("spec.ephemeralContainers.name spec.ephemeralContainers.targetContainerName", func(from, to *corev1.Pod) {
		to.Spec.EphemeralContainers = []corev1.EphemeralContainer{{
			EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "debug"}, TargetContainerName: "c0",
		}}
	})
	// A list keeps its length even if no field of its elements is left.
	f("spec.volumes.hostPath", func(from, to *corev1.Pod) { to.Spec.Volumes = make([]corev1.Volume, 1) })
	without := ExcludeKey("metadata.annotations", "kubectl.kubernetes.io/last-applied-configuration")
	f("metadata.annotations", func(from, to *corev1.Pod) { to.Annotations = map[string]string{"a": "b"} }, without)
	f("metadata.name", func(from, to *corev1.Pod) { to.Name = from.Name }, without)
}

func TestNewMaskErrorsNameTheField(t *testing.T) {
	f := func(path, part string) {
		t.Helper()
		_, err := NewMask(podType, []string{"metadata.name", path})
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: error %v, want one with %q and the path", path, err, part)
		}
	}
	f("spec.nodename", `no field "nodename"`)
	f("spec.nodeName.x", "no fields")
	f("metadata.labels.app", "no fields")
	f("spec.ephemeralContainers.nothing", "no field")
	f("spec..containers", "no field")
}

// The previous content of dst stays at the beginning.
func TestMaskAppends(t *testing.T) {
	for _, enc := range encodings {
		got, err := mustMask(t, "metadata.name").Append([]byte("before"), enc, bytesOf(t, enc, examplePod(1)))
		if err != nil || !strings.HasPrefix(string(got), "before") || len(got) == len("before") {
			t.Errorf("%s: got %q, error %v, want the object after %q", enc, got, err, "before")
		}
	}
}

// A truncated object gives an error or, in protobuf if it ends between two fields, a smaller object. It never decodes
// to a value that the complete object does not have.
func TestMaskOfTruncatedObject(t *testing.T) {
	m := mustMask(t, "metadata.name spec.containers.name status.conditions")
	for _, enc := range encodings {
		raw := bytesOf(t, enc, examplePod(1))
		for n := range raw {
			cut, err := m.Append(nil, enc, raw[:n])
			if err != nil {
				continue
			}
			if enc == JSON {
				t.Fatalf("%d of %d bytes of JSON: got %s, want an error", n, len(raw), cut)
			}
			if p, err := decodePod(enc, cut); err != nil || p.Name != "" && p.Name != "pod-1" {
				t.Fatalf("%d of %d bytes: got name %q, error %v", n, len(raw), p.Name, err)
			}
		}
	}
}

// A varint with more bytes than necessary stays readable.
func TestMaskOfPaddedLengths(t *testing.T) {
	metadata := bytesOf(t, Protobuf, &metav1.ObjectMeta{Name: "n", GenerateName: "g"})
	raw := append([]byte{1<<3 | wireBytes, byte(len(metadata)) | 0x80, 0x80, 0x80, 0}, metadata...)
	cut, err := mustMask(t, "metadata.name").Append(nil, Protobuf, raw)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := decodePod(Protobuf, cut); err != nil || p.Name != "n" || p.GenerateName != "" {
		t.Errorf("got metadata %v, error %v, want only the name n", p.ObjectMeta, err)
	}
}

const fuzzedFields = `metadata.name metadata.labels metadata.annotations metadata.ownerReferences spec.containers.name
	spec.containers.resources spec.ephemeralContainers.name spec.securityContext.runAsUser status.phase status.conditions.type status.startTime`

// checkMask checks that masking and decoding gives the same result as decoding, encoding again, masking and decoding.
// So the mask removes fields and changes nothing else.
func checkMask(t *testing.T, m *Mask, enc Encoding, raw []byte) {
	cut, err := m.Append(nil, enc, raw)
	if err != nil {
		return
	}
	if enc == Protobuf && len(cut) > len(raw) {
		t.Fatalf("got %d bytes, want at most %d", len(cut), len(raw))
	}
	full, err := decodePod(enc, raw)
	if err != nil || enc == Protobuf && !hasValidMaps(podType, raw) {
		return
	}
	got, err := decodePod(enc, cut)
	if err != nil {
		t.Fatalf("the complete object can be decoded, but not the masked one: %v", err)
	}
	again, err := marshalPod(enc, full)
	if err != nil {
		return // the object cannot be encoded, for example because of a year that JSON does not allow
	}
	clean, err := m.Append(nil, enc, again)
	if err != nil {
		t.Fatal(err)
	}
	want, err := decodePod(enc, clean)
	if err != nil {
		t.Fatal(err)
	}
	gotText, _ := json.Marshal(got)
	wantText, _ := json.Marshal(want)
	if string(gotText) != string(wantText) {
		t.Fatalf("got  %s\nwant %s", gotText, wantText)
	}
}

// hasValidMaps reports whether the entries of all maps in a message are valid messages. The generated decoders read a
// key or value that is longer than its entry from the bytes after the entry, and masking changes these.
func hasValidMaps(t reflect.Type, raw []byte) bool {
	for len(raw) > 0 {
		f, err := nextField(raw)
		if err != nil {
			return false
		}
		for i := range t.NumField() {
			number, _ := protobufNumber(t.Field(i).Tag.Get("protobuf"))
			if uint64(number) == f.number && f.wireType == wireBytes && !hasValidMapsIn(t.Field(i).Type, f.value) {
				return false
			}
		}
		raw = raw[f.size:]
	}
	return true
}

// hasValidMapsIn is hasValidMaps for a field of type t.
func hasValidMapsIn(t reflect.Type, value []byte) bool {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Map:
		_, err := messageField(value, mapKey)
		return err == nil
	case reflect.Struct:
		return hasValidMaps(t, value)
	}
	return true
}

func marshalPod(enc Encoding, p *corev1.Pod) ([]byte, error) {
	if enc == JSON {
		return json.Marshal(p)
	}
	return p.Marshal()
}

func FuzzMaskProtobuf(f *testing.F) {
	f.Add(bytesOf(f, Protobuf, smallPod()))
	f.Add([]byte{})
	f.Add([]byte{0x0a, 0x00})
	m := mustMask(f, fuzzedFields, ExcludeKey("metadata.annotations", "a"))
	f.Fuzz(func(t *testing.T, raw []byte) { checkMask(t, m, Protobuf, raw) })
}

func FuzzMaskJSON(f *testing.F) {
	f.Add(bytesOf(f, JSON, smallPod()))
	for _, s := range []string{
		`{}`, ` { "metadata" : { "name" : "x" , "labels" : null } } `, `{"metadata":[]}`, `{"spec":{"containers":[[{"name":"a"}]]}}`,
		`{"metadata":{"n\u0061me":"x","annotations":{"\u0061":"cut"}}}`, `null`, `[]`, `{"a":1,}`, `{"status":{"phase":"\ud800"}}`,
	} {
		f.Add([]byte(s))
	}
	m := mustMask(f, fuzzedFields, ExcludeKey("metadata.annotations", "a"))
	f.Fuzz(func(t *testing.T, raw []byte) { checkMask(t, m, JSON, raw) })
}

// smallPod returns a small pod with each of the fuzzed fields.
func smallPod() *corev1.Pod {
	p := examplePod(1)
	user := int64(7)
	p.ManagedFields, p.Annotations = nil, map[string]string{"a": "cut", "b": "kept"}
	p.OwnerReferences = []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "r"}}
	p.Spec.SecurityContext = &corev1.PodSecurityContext{RunAsUser: &user}
	p.Spec.Containers = p.Spec.Containers[:1]
	p.Spec.Containers[0].Env = nil
	p.Status.ContainerStatuses = nil
	return p
}
