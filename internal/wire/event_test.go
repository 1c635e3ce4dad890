package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// exampleStream returns the frames of a watch, one of each type.
func exampleStream(t testing.TB, enc Encoding) [][]byte {
	t.Helper()
	bookmark := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		ResourceVersion: "90", Annotations: map[string]string{initialEventsEnd: "true"},
	}}
	expired := &metav1.Status{Status: metav1.StatusFailure, Reason: metav1.StatusReasonExpired, Code: 410}
	return [][]byte{
		frame(t, enc, "ADDED", examplePod(1)),
		frame(t, enc, "MODIFIED", examplePod(2)),
		frame(t, enc, "DELETED", smallPod()),
		frame(t, enc, "BOOKMARK", bookmark),
		frame(t, enc, "ERROR", expired),
	}
}

func TestEvents(t *testing.T) {
	for _, enc := range encodings {
		for _, slow := range []bool{false, true} {
			frames := exampleStream(t, enc)
			var body io.Reader = bytes.NewReader(bytes.Join(frames, nil))
			if slow {
				body = iotest.OneByteReader(body)
			}
			r := NewEventReader(body)
			var got []string
			size := 0
			for range frames {
				ev, err := r.Next()
				if err != nil || ev.Encoding != enc {
					t.Fatalf("got encoding %s, error %v; want %s", ev.Encoding, err, enc)
				}
				m, err := ReadMeta(ev.Encoding, ev.Object)
				if err != nil && ev.Type != "ERROR" {
					t.Errorf("%s: %v", ev.Type, err)
				}
				if ev.Type == "ERROR" {
					m = Meta{Name: []byte(reasonOf(t, ev))}
				}
				end, err := InitialEventsEnd(ev.Encoding, ev.Object)
				if err != nil && ev.Type != "ERROR" {
					t.Errorf("%s: %v", ev.Type, err)
				}
				got = append(got, fmt.Sprintf("%s %s %v", ev.Type, m.Name, end))
				size += ev.Size
			}
			want := "ADDED pod-1 false, MODIFIED pod-2 false, DELETED pod-1 false, BOOKMARK  true, ERROR Expired false"
			if strings.Join(got, ", ") != want {
				t.Errorf("%s: got events %s, want %s", enc, strings.Join(got, ", "), want)
			}
			if _, err := r.Next(); !errors.Is(err, io.EOF) {
				t.Errorf("%s: error %v at the end, want io.EOF", enc, err)
			}
			if whole := len(bytes.Join(frames, nil)); size < whole-len(frames) || size > whole {
				t.Errorf("%s: the sizes sum to %d bytes, want %d to %d", enc, size, whole-len(frames), whole)
			}
		}
	}
}

func reasonOf(t *testing.T, ev Event) string {
	t.Helper()
	if ev.Encoding == JSON {
		_, reason, _ := strings.Cut(string(ev.Object), `"reason":"`)
		reason, _, _ = strings.Cut(reason, `"`)
		return reason
	}
	var s metav1.Status
	if err := s.Unmarshal(ev.Object); err != nil {
		t.Error(err)
	}
	return string(s.Reason)
}

// A stream that ends within a frame gives io.ErrUnexpectedEOF, and one that ends between frames
// gives io.EOF.
func TestEventsOfTruncatedStream(t *testing.T) {
	for _, enc := range encodings {
		first := frame(t, enc, "ADDED", smallPod())
		stream := append(first, frame(t, enc, "DELETED", smallPod())...)
		for n := range stream {
			r := NewEventReader(bytes.NewReader(stream[:n]))
			frames := 0
			_, err := r.Next()
			for err == nil {
				frames++
				_, err = r.Next()
			}
			between := n == 0 || n == len(first) || enc == JSON && (n == len(first)-1 || n == len(stream)-1)
			if between != errors.Is(err, io.EOF) || !between && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("%s, %d of %d bytes: error %v; ends between frames: %t", enc, n, len(stream), err, between)
			}
			if whole := n / (len(first) - 1); frames > whole {
				t.Fatalf("%s, %d of %d bytes: read %d frames, want at most %d", enc, n, len(stream), frames, whole)
			}
		}
	}
}

// A frame with valid bounds but invalid content gives ErrFrame, and the next frame is read.
func TestBadFrameCostsOneEvent(t *testing.T) {
	f := func(enc Encoding, bad []byte) {
		t.Helper()
		r := NewEventReader(bytes.NewReader(append(bad, frame(t, enc, "ADDED", smallPod())...)))
		if ev, err := r.Next(); !errors.Is(err, ErrFrame) {
			t.Errorf("%s: invalid frame: got %+v, error %v, want %v", enc, ev, err, ErrFrame)
		}
		if ev, err := r.Next(); err != nil || ev.Type != "ADDED" {
			t.Errorf("%s: next frame: got type %q, error %v, want ADDED", enc, ev.Type, err)
		}
	}
	f(Protobuf, []byte{0, 0, 0, 0})
	f(Protobuf, []byte{0, 0, 0, 1, 0x0a})
	f(Protobuf, rawFrame(t, Protobuf, "ADDED", []byte("no envelope")))
	f(Protobuf, rawFrame(t, Protobuf, "ADDED", nil))
	f(Protobuf, rawFrame(t, Protobuf, "ADDED", []byte(magic+"\x0a\x7f")))
	f(JSON, []byte(`{"type":"ADDED"}`))
	f(JSON, []byte(`{"type":"ADDED","object":null}`))
	f(JSON, []byte(`{"type":"ADDED","object":[1]}`))
}

// API servers write the fields in order, but the reader does not depend on that.
func TestFrameOfFieldsInAnyOrder(t *testing.T) {
	unknown := envelope(t, Protobuf, smallPod())[len(magic):]
	for _, eventReversed := range []bool{false, true} {
		for _, objectReversed := range []bool{false, true} {
			object := unknown
			if objectReversed {
				object = reverseFields(t, unknown)
			}
			event := rawFrame(t, Protobuf, "MODIFIED", append([]byte(magic), object...))[frameHeader:]
			if eventReversed {
				event = reverseFields(t, event)
			}
			got, err := NewEventReader(bytes.NewReader(append(binary.BigEndian.AppendUint32(nil, uint32(len(event))), event...))).Next()
			if err != nil || got.Type != "MODIFIED" || !bytes.Equal(got.Object, bytesOf(t, Protobuf, smallPod())) {
				t.Errorf("fields of the event reversed: %t, of the object: %t: got %+v, error %v", eventReversed, objectReversed, got, err)
			}
		}
	}
}

// The length of an oversized frame cannot be trusted, so the next frame cannot be found.
func TestOversizedFrameEndsTheWatch(t *testing.T) {
	r := NewEventReader(bytes.NewReader(binary.BigEndian.AppendUint32(nil, MaxObject+1)))
	if _, err := r.Next(); err == nil || errors.Is(err, ErrFrame) || errors.Is(err, io.EOF) {
		t.Errorf("error %v, want one that ends the watch", err)
	}
}

// No input makes the reader panic or loop, and the frames take no more bytes than the input has.
// The reader agrees with the generated decoders on the frames that these accept; see checkFrame.
func FuzzEvents(f *testing.F) {
	for _, enc := range encodings {
		f.Add(append(frame(f, enc, "ADDED", smallPod()), frame(f, enc, "BOOKMARK", smallPod())...))
	}
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 1, 0x0a})
	f.Add([]byte(`{"type":7}{"object":{}}`))
	f.Fuzz(func(t *testing.T, stream []byte) {
		r := NewEventReader(bytes.NewReader(stream))
		size := 0
		for n := 0; ; n++ {
			rest := stream[size:]
			ev, err := r.Next()
			size += ev.Size
			if n > len(stream) || size > len(stream) {
				t.Fatalf("read %d frames of %d bytes in total from an input of %d bytes", n, size, len(stream))
			}
			if err != nil && !errors.Is(err, ErrFrame) {
				return
			}
			if ev.Encoding == Protobuf {
				checkFrame(t, rest[4:ev.Size], ev, err)
			} else if err == nil && !json.Valid(ev.Object) {
				t.Fatalf("object %q is not valid JSON", ev.Object)
			}
		}
	})
}

// checkFrame compares an event with the result of the generated decoders. It skips a frame that the
// generated encoders, which API servers use, would write in another way: it may have repeated fields,
// or groups, which end the watch.
func checkFrame(t *testing.T, body []byte, ev Event, err error) {
	t.Helper()
	var want metav1.WatchEvent
	var inside runtime.Unknown
	if want.Unmarshal(body) != nil || !bytes.HasPrefix(want.Object.Raw, []byte(magic)) || inside.Unmarshal(want.Object.Raw[len(magic):]) != nil {
		return
	}
	inner, errInner := inside.Marshal()
	clean, errClean := want.Marshal()
	if errInner != nil || errClean != nil || !bytes.Equal(inner, want.Object.Raw[len(magic):]) || !bytes.Equal(clean, body) {
		return
	}
	if err != nil || ev.Type != want.Type || !bytes.Equal(ev.Object, inside.Raw) {
		t.Fatalf("%q: got %q %q, error %v; want %q %q", body, ev.Type, ev.Object, err, want.Type, inside.Raw)
	}
}
