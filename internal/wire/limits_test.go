package wire

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// annotatedPod returns a pod of about n bytes.
func annotatedPod(n int) *corev1.Pod {
	p := smallPod()
	p.Annotations = map[string]string{"a": strings.Repeat("x", n)}
	return p
}

func TestFramesLargerThanTheBufferAreReadBetweenSmallOnes(t *testing.T) {
	for _, enc := range encodings {
		var stream []byte
		sizes := []int{10, frameBuffer, 2 * frameBuffer, 10, 3 * frameBuffer, 2 << 20, 10, 2 * frameBuffer}
		for _, n := range sizes {
			stream = append(stream, frame(t, enc, "ADDED", annotatedPod(n))...)
		}
		r := NewEventReader(bytes.NewReader(stream))
		for _, n := range sizes {
			ev, err := r.Next()
			if err != nil {
				t.Fatalf("%s, %d bytes: %v", enc, n, err)
			}
			if p, err := decodePod(enc, ev.Object); err != nil || len(p.Annotations["a"]) != n {
				t.Errorf("%s, %d bytes: got %d bytes, error %v", enc, n, len(p.Annotations["a"]), err)
			}
		}
	}
}

func TestMemoryOfFramesUpToOneMiBIsReused(t *testing.T) {
	raw := func(n int) []byte { return append(binary.BigEndian.AppendUint32(nil, uint32(n)), make([]byte, n)...) }
	f := func(size int, kept bool) {
		t.Helper()
		r := NewEventReader(bytes.NewReader(bytes.Join([][]byte{raw(size), raw(5), raw(size)}, nil)))
		_, _ = r.Next()
		first := &r.frames.buf[0]
		_, _ = r.Next()
		if got := r.frames.buf != nil; got != kept {
			t.Errorf("%d bytes: memory kept %t, want %t", size, got, kept)
		}
		_, _ = r.Next()
		if reused := first == &r.frames.buf[0]; reused != kept {
			t.Errorf("%d bytes: memory reused %t, want %t", size, reused, kept)
		}
	}
	f(2*frameBuffer, true)
	f(1<<20, true)
	f(1<<20+1, false)
}

func TestFrameOfTheLargestSizeIsAccepted(t *testing.T) {
	head := binary.BigEndian.AppendUint32(nil, MaxObject)
	if _, err := NewEventReader(bytes.NewReader(head)).Next(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error %v, want that of a truncated frame", err)
	}
}

func TestListItemOfTheLargestSizeIsAccepted(t *testing.T) {
	body := func(item uint64) []byte {
		b := append([]byte(magic), unknownRaw<<3|wireBytes)
		b = binary.AppendUvarint(b, 2*MaxObject)
		b = append(b, listItems<<3|wireBytes)
		return binary.AppendUvarint(b, item)
	}
	visit := func(Encoding, []byte) error { return nil }
	if _, err := ReadList(bytes.NewReader(body(MaxObject)), visit); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error %v, want that of a truncated body", err)
	}
	if _, err := ReadList(bytes.NewReader(body(MaxObject+1)), visit); err == nil || errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("one byte more: error %v, want one about the size", err)
	}
}

func TestListItemsLargerThanTheBufferAreReadCompletely(t *testing.T) {
	for _, enc := range encodings {
		sizes := []int{10, frameBuffer, frameBuffer + 1000, 2 * frameBuffer, 10, frameBuffer + 2000, 3 * frameBuffer}
		list := &corev1.PodList{}
		for _, n := range sizes {
			list.Items = append(list.Items, *annotatedPod(n))
		}
		at := 0
		_, err := ReadList(bytes.NewReader(envelope(t, enc, list)), func(_ Encoding, object []byte) error {
			p, err := decodePod(enc, object)
			if err == nil && len(p.Annotations["a"]) != sizes[at] {
				t.Errorf("%s: item %d has %d bytes, want %d", enc, at, len(p.Annotations["a"]), sizes[at])
			}
			at++
			return err
		})
		if err != nil || at != len(sizes) {
			t.Errorf("%s: got %d items, error %v, want %d", enc, at, err, len(sizes))
		}
	}
}

func TestListFieldMustNotReachBeyondTheList(t *testing.T) {
	// The list is one byte long: the tag of an item. The item's length comes after the list.
	body := magic + "\x12\x01\x12" + "\x02ab"
	_, err := ReadList(strings.NewReader(body), func(_ Encoding, object []byte) error {
		t.Errorf("got item %q, want none", object)
		return nil
	})
	if err == nil {
		t.Error("got no error, want one")
	}
}

func TestLastOfRepeatedFieldsCounts(t *testing.T) {
	field := func(number byte, value []byte) []byte {
		return append(binary.AppendUvarint([]byte{number<<3 | wireBytes}, uint64(len(value))), value...)
	}
	kind := func(name string) []byte { return field(eventType, []byte(name)) }
	unknown := func(raw ...string) []byte {
		b := append([]byte(magic), field(unknownTypeMeta, nil)...)
		for _, r := range raw {
			b = append(b, field(unknownRaw, []byte(r))...)
		}
		return append(b, "\x1a\x00\x22\x00"...) // no content encoding, no content type
	}
	extension := func(envelopes ...[]byte) []byte {
		var b []byte
		for _, e := range envelopes {
			b = append(b, field(rawExtensionRaw, e)...)
		}
		return field(eventObject, b)
	}
	f := func(name string, parts ...[]byte) {
		t.Helper()
		frame := bytes.Join(parts, nil)
		got, err := NewEventReader(bytes.NewReader(append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...))).Next()
		if err != nil || got.Type != "DELETED" || string(got.Object) != "last" {
			t.Errorf("%s: got %s %q, error %v, want DELETED \"last\"", name, got.Type, got.Object, err)
		}
	}
	f("once", kind("DELETED"), extension(unknown("last")))
	f("type", kind("ADDED"), extension(unknown("last")), kind("DELETED"))
	f("object", kind("DELETED"), extension(unknown("first")), extension(unknown("last")))
	f("envelope", kind("DELETED"), extension(unknown("first"), unknown("last")))
	f("raw", kind("DELETED"), extension(unknown("first", "last")))
	f("type and envelope", kind("ADDED"), extension(unknown("first"), unknown("last")), kind("DELETED"))
}

func TestProtobufFieldsAtTheirBounds(t *testing.T) {
	f := func(name, object string, ok bool) {
		t.Helper()
		// The metadata comes last, so that all fields before it are read.
		m, err := ReadMeta(Protobuf, []byte(object+"\x0a\x03\x0a\x01n"))
		if (err == nil) != ok || ok && string(m.Name) != "n" {
			t.Errorf("%s: got name %q, error %v, want success: %t", name, m.Name, err, ok)
		}
	}
	largest := binary.AppendUvarint(nil, maxNumber<<3|wireBytes)
	beyond := binary.AppendUvarint(nil, (maxNumber+1)<<3|wireBytes)
	f("nothing", "", true)
	f("varint", "\x10\x01", true)
	f("fixed64", "\x11________", true)
	f("fixed32", "\x15____", true)
	f("bytes", "\x12\x01_", true)
	f("largest number", string(largest)+"\x00", true)
	f("larger number", string(beyond)+"\x00", false)
	f("number 0", "\x02\x00", false)
	f("group", "\x13", false)

	g := func(name, object string, ok bool) {
		t.Helper()
		if _, err := ReadMeta(Protobuf, []byte(object)); (err == nil) != ok {
			t.Errorf("%s: error %v, want success: %t", name, err, ok)
		}
	}
	g("fixed64 at the end", "\x11________", true)
	g("fixed64 cut off", "\x11_______", false)
	g("fixed32 at the end", "\x15____", true)
	g("fixed32 cut off", "\x15___", false)
	g("varint cut off", "\x10\x80", false)
	g("varint missing", "\x10", false)
	g("varint too long", "\x10"+strings.Repeat("\xff", 11), false)
	g("tag cut off", "\x80", false)
	g("tag too long", strings.Repeat("\xff", 11), false)
	g("bytes at the end", "\x12\x02__", true)
	g("bytes cut off", "\x12\x02_", false)
	g("length cut off", "\x12\x80", false)
	g("length missing", "\x12", false)
	g("length too long", "\x12"+strings.Repeat("\xff", 11), false)
}

func TestIdentityWithLongStrings(t *testing.T) {
	for _, n := range []int{0, 1, 126, 127, 128, 129, 255, 256, 1 << 14} {
		want := metav1.ObjectMeta{Name: strings.Repeat("n", n), Namespace: strings.Repeat("s", n), UID: "u", ResourceVersion: "1"}
		for _, enc := range encodings {
			m, err := ReadMeta(enc, bytesOf(t, enc, &corev1.Pod{ObjectMeta: want}))
			if err != nil {
				t.Errorf("%s, %d bytes: %v", enc, n, err)
			}
			checkMeta(t, m, &want)
		}
	}
}

func TestIdentityWithTruncatedLengthIsAnError(t *testing.T) {
	for _, length := range []string{"", "\x80", "\x02x", strings.Repeat("\xff", 11)} {
		metadata := "\x0a" + length
		object := append([]byte{0x0a, byte(len(metadata))}, metadata...)
		if m, err := ReadMeta(Protobuf, object); err == nil {
			t.Errorf("length %q: got %+v, want an error", length, m)
		}
	}
}

func TestUnwrapOfAnEmptyEnvelope(t *testing.T) {
	if object, err := Unwrap([]byte(magic)); err != nil || object != nil {
		t.Errorf("got object %q, error %v, want neither", object, err)
	}
	if _, err := Unwrap([]byte(magic[:len(magic)-1])); !errors.Is(err, errMagic) {
		t.Errorf("error %v, want %v", err, errMagic)
	}
}

func TestMaskNeedsProtobufNumbers(t *testing.T) {
	type short struct {
		A string `json:"a" protobuf:"bytes,3"`
	}
	type none struct {
		A string `json:"a"`
	}
	type kindOnly struct {
		A string `json:"a" protobuf:"bytes"`
	}
	type zero struct {
		A string `json:"a" protobuf:"bytes,0,opt,name=a"`
	}
	type word struct {
		A string `json:"a" protobuf:"bytes,x,opt,name=a"`
	}
	f := func(of reflect.Type, ok bool) {
		t.Helper()
		m, err := NewMask(of, []string{"a"})
		if (err == nil) != ok {
			t.Fatalf("%s: error %v, want success: %t", of, err, ok)
		}
		if ok {
			if got, err := m.Append(nil, Protobuf, []byte("\x12\x01b\x1a\x01a\x22\x01c")); err != nil || string(got) != "\x1a\x01a" {
				t.Errorf("%s: got %q, error %v, want only field 3", of, got, err)
			}
		}
	}
	f(reflect.TypeFor[short](), true)
	f(reflect.TypeFor[none](), false)
	f(reflect.TypeFor[kindOnly](), false)
	f(reflect.TypeFor[zero](), false)
	f(reflect.TypeFor[word](), false)
}

// The length of a message that becomes shorter keeps its number of bytes, up to three of them as padding.
func TestMaskOfMessagesWithLongLengths(t *testing.T) {
	m := mustMask(t, "metadata.name metadata.labels", ExcludeKey("metadata.labels", "cut"))
	for _, n := range []int{1, 100, 127, 128, 200, 1 << 14, 1 << 15, 1 << 21, 1<<21 + 100} {
		for _, kept := range []int{0, 1, 126, 127, 128, 129, 1 << 14} {
			p := annotatedPod(n)
			p.Name = strings.Repeat("n", kept)
			for _, enc := range encodings {
				cut, err := m.Append(nil, enc, bytesOf(t, enc, p))
				if err != nil {
					t.Fatalf("%s, annotation of %d bytes, name of %d bytes: %v", enc, n, kept, err)
				}
				if got, err := decodePod(enc, cut); err != nil || got.Name != p.Name || got.Annotations != nil {
					t.Errorf("%s, annotation of %d bytes, name of %d bytes: got a name of %d bytes, error %v", enc, n, kept, len(got.Name), err)
				}
			}
		}
	}
}

func TestIdentityWhoseVersionOrUIDComesFirst(t *testing.T) {
	want := metav1.ObjectMeta{Name: "n", Namespace: "s", UID: "u", ResourceVersion: "7"}
	const name, namespace, uid, version = "\x0a\x01n", "\x1a\x01s", "\x2a\x01u", "\x32\x017"
	for _, metadata := range []string{
		name + namespace + uid + version,
		version + uid + namespace + name,
		version + name + namespace + uid,
		uid + name + namespace + version,
	} {
		m, err := ReadMeta(Protobuf, append([]byte{0x0a, byte(len(metadata))}, metadata...))
		if err != nil {
			t.Errorf("%q: %v", metadata, err)
		}
		checkMeta(t, m, &want)
	}
}

func TestErrorsOfTagsDistinguishTruncation(t *testing.T) {
	for object, truncated := range map[string]bool{"\x80": true, strings.Repeat("\xff", 11): true, "\x02\x00": false} {
		if _, err := ReadMeta(Protobuf, []byte(object)); err == nil || errors.Is(err, errTruncated) != truncated {
			t.Errorf("%q: error %v, want %v: %t", object, err, errTruncated, truncated)
		}
	}
}

func TestEncodingsHaveNames(t *testing.T) {
	if Protobuf.String() != "protobuf" || JSON.String() != "json" {
		t.Errorf("got %s and %s, want protobuf and json", Protobuf, JSON)
	}
}

func TestMemoryOfLargePartsIsReused(t *testing.T) {
	p := partReader{br: bufio.NewReaderSize(bytes.NewReader(make([]byte, 1<<20)), frameBuffer)}
	read := func(n int) *byte {
		t.Helper()
		part, err := p.next(n)
		if err != nil || p.buffered != 0 || len(part) != n {
			t.Fatalf("got %d bytes, %d of them buffered, error %v; want %d, 0", len(part), p.buffered, err, n)
		}
		return &part[0]
	}
	first := read(50 << 10)
	if read(40<<10) != first {
		t.Error("new memory for a part that fits")
	}
	if read(cap(p.buf)+1) == first {
		t.Error("same memory for a part that does not fit")
	}
}
