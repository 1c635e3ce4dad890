package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func exampleList(n int) *corev1.PodList {
	remaining := int64(9)
	l := &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: "77", Continue: "next", RemainingItemCount: &remaining}}
	for i := range n {
		l.Items = append(l.Items, *examplePod(i))
	}
	return l
}

// namesOf returns a visitor that records the names of items.
func namesOf(names *[]string) func(Encoding, []byte) error {
	return func(enc Encoding, object []byte) error {
		m, err := ReadMeta(enc, object)
		*names = append(*names, string(m.Name))
		return err
	}
}

func TestReadList(t *testing.T) {
	for _, enc := range encodings {
		for _, n := range []int{0, 1, 3} {
			for _, slow := range []bool{false, true} {
				var body io.Reader = bytes.NewReader(envelope(t, enc, exampleList(n)))
				if slow {
					body = iotest.OneByteReader(body)
				}
				var names []string
				meta, err := ReadList(body, namesOf(&names))
				if err != nil || meta.ResourceVersion != "77" || meta.Continue != "next" || *meta.RemainingItemCount != 9 {
					t.Errorf("%s, %d items: got metadata %+v, error %v", enc, n, meta, err)
				}
				if want := []string{"pod-0", "pod-1", "pod-2"}[:n]; fmt.Sprint(names) != fmt.Sprint(want) {
					t.Errorf("%s: items %v, want %v", enc, names, want)
				}
			}
		}
	}
}

// The bytes of an item are those of an object.
func TestReadListItemsDecode(t *testing.T) {
	for _, enc := range encodings {
		_, err := ReadList(bytes.NewReader(envelope(t, enc, exampleList(2))), func(got Encoding, object []byte) error {
			if got != enc {
				t.Errorf("got encoding %s, want %s", got, enc)
			}
			p, err := decodePod(enc, object)
			if err == nil && (len(p.Spec.Containers) != 3 || p.Status.PodIP != "10.0.0.1") {
				t.Errorf("%s: got pod %v, want 3 containers and the IP 10.0.0.1", enc, p)
			}
			return err
		})
		if err != nil {
			t.Errorf("%s: %v", enc, err)
		}
	}
}

func TestReadListJSONForms(t *testing.T) {
	f := func(body string, names string, ok bool) {
		t.Helper()
		var got []string
		meta, err := ReadList(strings.NewReader(body), namesOf(&got))
		if (err == nil) != ok || strings.Join(got, " ") != names {
			t.Errorf("%s: got items %v, error %v; want %s, success: %t", body, got, err, names, ok)
		}
		if ok && strings.Contains(body, "resourceVersion") && meta.ResourceVersion != "5" {
			t.Errorf("%s: got resource version %q, want 5", body, meta.ResourceVersion)
		}
	}
	f(`{"items":[{"metadata":{"name":"a"}}],"metadata":{"resourceVersion":"5"}}`, "a", true)
	f(`{"metadata":{"resourceVersion":"5"},"x":[{"y":{}}],"items":[{"metadata":{"name":"a"}},{"metadata":{"name":"b"}}]}`, "a b", true)
	f(" \n{ \"items\" : [ ] }", "", true)
	f(`{"items":null}`, "", true)
	f(`{"items":{}}`, "", false)
	f(`{"items":[{"metadata":{"name":"a"}},7]}`, "a ", false)
	f(`{"items":[{"metadata":{"name":"a"}}`, "a", false)
	f(`{"metadata":7}`, "", false)
	f(`[]`, "", false)
	f(`<html>`, "", false)
	f(``, "", false)
}

// An API server sends an empty list as [] or null. Without the member, the answer is something else, such as that of a
// proxy, and must not count as an empty list.
func TestAnswerWithoutItemsIsNoList(t *testing.T) {
	status := `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","code":503}`
	for _, body := range []string{`{}`, status, `{"metadata":{"resourceVersion":"5"}}`, `{"error":{"items":[]}}`, `{"rows":[]}`} {
		if meta, err := ReadList(strings.NewReader(body), namesOf(new([]string))); err == nil || !strings.Contains(err.Error(), `"items"`) {
			t.Errorf("%s: got metadata %+v and error %v, want an error that names the missing member", body, meta, err)
		}
		if _, err := secretTable().ReadList(strings.NewReader(strings.ReplaceAll(body, "rows", "x")), namesOf(new([]string))); err == nil || !strings.Contains(err.Error(), `"rows"`) {
			t.Errorf("%s: got error %v for a Table, want one that names the missing member", body, err)
		}
	}
	_, err := ReadList(strings.NewReader(status), namesOf(new([]string)))
	if err == nil || !strings.Contains(err.Error(), `["kind" "apiVersion" "metadata" "status" "code"]`) {
		t.Errorf("got error %v, want one that names the members of the answer", err)
	}
}

// ReadList returns the error of the visitor.
func TestReadListStopsAtTheVisitorsError(t *testing.T) {
	stop := errors.New("stop")
	for _, enc := range encodings {
		calls := 0
		_, err := ReadList(bytes.NewReader(envelope(t, enc, exampleList(3))), func(Encoding, []byte) error {
			calls++
			return stop
		})
		if !errors.Is(err, stop) || calls != 1 {
			t.Errorf("%s: error %v after %d items, want %v after 1", enc, err, calls, stop)
		}
	}
}

// A body that ends early, at any byte, gives io.ErrUnexpectedEOF: a partial list must never count as a complete one.
func TestReadListOfTruncatedBody(t *testing.T) {
	for _, enc := range encodings {
		list := &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: "77"}, Items: []corev1.Pod{*smallPod(), *smallPod()}}
		body := bytes.TrimSpace(envelope(t, enc, list))
		if enc == Protobuf {
			// The empty content encoding and type follow the list.
			body = body[:len(body)-4]
		}
		for n := range body {
			_, err := ReadList(bytes.NewReader(body[:n]), func(Encoding, []byte) error { return nil })
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("%s, %d of %d bytes: error %v, want io.ErrUnexpectedEOF", enc, n, len(body), err)
			}
		}
		if _, err := ReadList(bytes.NewReader(body), func(Encoding, []byte) error { return nil }); err != nil {
			t.Errorf("%s: %v", enc, err)
		}
	}
}

// A broken connection does not count as the end of the list.
func TestReadListReportsTheReadersError(t *testing.T) {
	broken := errors.New("connection reset")
	for _, enc := range encodings {
		body := envelope(t, enc, exampleList(2))
		for _, n := range []int{0, 2, 10, len(body) / 2} {
			_, err := ReadList(io.MultiReader(bytes.NewReader(body[:n]), iotest.ErrReader(broken)), func(Encoding, []byte) error { return nil })
			if !errors.Is(err, broken) {
				t.Errorf("%s, after %d bytes: error %v, want %v", enc, n, err, broken)
			}
		}
	}
}

// No input makes ReadList panic or pass more bytes than the input has. A list that the generated decoder accepts has
// the same number of items after it was encoded again.
func FuzzReadList(f *testing.F) {
	small := &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: "1"}, Items: []corev1.Pod{*smallPod()}}
	for _, enc := range encodings {
		f.Add(envelope(f, enc, small))
	}
	f.Add([]byte(magic + "\x12\x02\x12\x00"))
	f.Add([]byte(`{"items":[{},null,7]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		passed := 0
		_, err := ReadList(bytes.NewReader(body), func(_ Encoding, object []byte) error {
			passed += len(object)
			return nil
		})
		if passed > len(body) {
			t.Fatalf("%d bytes of items in a body of %d bytes", passed, len(body))
		}
		raw, unwrapErr := Unwrap(body)
		var list corev1.PodList
		if err != nil || unwrapErr != nil || list.Unmarshal(raw) != nil {
			return
		}
		items := 0
		meta, err := ReadList(bytes.NewReader(envelope(t, Protobuf, &list)), func(Encoding, []byte) error {
			items++
			return nil
		})
		if err != nil || items != len(list.Items) || meta.ResourceVersion != list.ResourceVersion {
			t.Fatalf("got %d items, error %v, want %d", items, err, len(list.Items))
		}
	})
}
