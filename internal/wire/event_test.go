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
	gone := &metav1.Status{Status: metav1.StatusFailure, Reason: metav1.StatusReasonExpired, Code: 410}
	return [][]byte{
		frame(t, enc, "ADDED", examplePod(1)),
		frame(t, enc, "MODIFIED", examplePod(2)),
		frame(t, enc, "DELETED", smallPod()),
		frame(t, enc, "BOOKMARK", bookmark),
		frame(t, enc, "ERROR", gone),
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
					t.Fatalf("%s: %s, error %v", enc, ev.Encoding, err)
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
				t.Errorf("%s: %s", enc, strings.Join(got, ", "))
			}
			if _, err := r.Next(); !errors.Is(err, io.EOF) {
				t.Errorf("%s: error %v at the end", enc, err)
			}
			if whole := len(bytes.Join(frames, nil)); size < whole-len(frames) || size > whole {
				t.Errorf("%s: sizes add up to %d of %d bytes", enc, size, whole)
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

// TestEventsOfTruncatedStream: a stream that ends within a frame is told apart
// from one that ends between frames, wherever that is.
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
				t.Fatalf("%s, %d of %d bytes: error %v", enc, n, len(stream), err)
			}
			if whole := n / (len(first) - 1); frames > whole {
				t.Fatalf("%s, %d of %d bytes: %d frames", enc, n, len(stream), frames)
			}
		}
	}
}

// TestBadFrameCostsOneEvent: a frame whose bounds are sound and whose content is
// not is an ErrFrame, and the next is read.
func TestBadFrameCostsOneEvent(t *testing.T) {
	f := func(enc Encoding, bad []byte) {
		t.Helper()
		r := NewEventReader(bytes.NewReader(append(bad, frame(t, enc, "ADDED", smallPod())...)))
		if ev, err := r.Next(); !errors.Is(err, ErrFrame) {
			t.Errorf("%s: %+v, error %v", enc, ev, err)
		}
		if ev, err := r.Next(); err != nil || ev.Type != "ADDED" {
			t.Errorf("%s: %q, error %v", enc, ev.Type, err)
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

// TestFrameOfFieldsInAnyOrder: API servers keep the order, and others are understood.
func TestFrameOfFieldsInAnyOrder(t *testing.T) {
	unknown := envelope(t, Protobuf, smallPod())[len(magic):]
	for _, turned := range []bool{false, true} {
		for _, inside := range []bool{false, true} {
			object := unknown
			if inside {
				object = backwards(t, unknown)
			}
			event := rawFrame(t, Protobuf, "MODIFIED", append([]byte(magic), object...))[frameHead:]
			if turned {
				event = backwards(t, event)
			}
			got, err := NewEventReader(bytes.NewReader(append(binary.BigEndian.AppendUint32(nil, uint32(len(event))), event...))).Next()
			if err != nil || got.Type != "MODIFIED" || !bytes.Equal(got.Object, bytesOf(t, Protobuf, smallPod())) {
				t.Errorf("turned %v, inside %v: %+v, error %v", turned, inside, got, err)
			}
		}
	}
}

// TestOversizedFrameEndsTheWatch: its length can't be trusted, so nothing behind
// it can be found.
func TestOversizedFrameEndsTheWatch(t *testing.T) {
	r := NewEventReader(bytes.NewReader(binary.BigEndian.AppendUint32(nil, MaxObject+1)))
	if _, err := r.Next(); err == nil || errors.Is(err, ErrFrame) || errors.Is(err, io.EOF) {
		t.Errorf("error %v", err)
	}
}

// FuzzEvents: no input panics or loops, the frames take no more bytes than there
// are, and those that Kubernetes' own decoder reads are read alike.
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
				t.Fatalf("%d frames of %d bytes in %d bytes", n, size, len(stream))
			}
			if err != nil && !errors.Is(err, ErrFrame) {
				return
			}
			if ev.Encoding == Protobuf {
				checkFrame(t, rest[4:ev.Size], ev, err)
			} else if err == nil && !json.Valid(ev.Object) {
				t.Fatalf("%q is no JSON", ev.Object)
			}
		}
	})
}

// checkFrame compares what was read of a frame with what the generated decoders
// read of it. Of a frame that they put together again as it was, as API servers do,
// both have to read the same; another may have fields twice, or groups, which end the watch.
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
		t.Fatalf("%q: read as %q %q, error %v; want %q %q", body, ev.Type, ev.Object, err, want.Type, inside.Raw)
	}
}
