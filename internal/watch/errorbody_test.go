package watch

import (
	"bytes"
	"compress/gzip"
	"context"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// zippedZeros returns n MiB of zeros, compressed to a thousandth. Each MiB is a copy of the same
// gzip stream, because compressing all of them takes seconds.
func zippedZeros(t *testing.T, n int) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return bytes.Repeat(b.Bytes(), n)
}

func TestCompressedErrorBodyIsReadInPart(t *testing.T) {
	const size = 256 << 20
	body := zippedZeros(t, size>>20)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "gzip" {
			t.Errorf("the client accepts %q, want gzip", r.Header.Get("Accept-Encoding"))
		}
		w.Header().Set("Content-Encoding", "gzip")
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = w.Write(body)
	}))
	defer server.Close()
	config := &rest.Config{Host: server.URL}
	config.Wrap(LimitErrorBodies)
	client, err := NewClient(config, AcceptBoth)
	if err != nil {
		t.Fatal(err)
	}
	set, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	for name, request := range map[string]func(ctx context.Context) error{
		"stream": func(ctx context.Context) error {
			_, err := client.Get().AbsPath("/api/v1/pods").Stream(ctx)
			return err
		},
		"object": func(ctx context.Context) error {
			_, err := set.CoreV1().ConfigMaps("n").Get(ctx, "c", metav1.GetOptions{})
			return err
		},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := request(t.Context())
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%s: got no error for a status of 500", name)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > size/8 {
			t.Errorf("%s: %d bytes were allocated for an error, want %d at most", name, n, size/8)
		}
	}
}

func TestErrorOfOrdinaryLengthIsWhole(t *testing.T) {
	t.Parallel()
	message := strings.Repeat("x", 10_000)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403,"message":"` + message + `"}`))
	}))
	defer server.Close()
	config := &rest.Config{Host: server.URL}
	config.Wrap(LimitErrorBodies)
	client, err := NewClient(config, AcceptBoth)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Get().AbsPath("/api/v1/pods").Stream(t.Context()); err == nil || !strings.Contains(err.Error(), message) {
		t.Errorf("got error %v, want the whole message", err)
	}
}

func TestBodiesOfSuccessfulAnswersAreNotLimited(t *testing.T) {
	const size = 2 * maxErrorBody
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, size)) }))
	defer server.Close()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := LimitErrorBodies(http.DefaultTransport).RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var b bytes.Buffer
	if n, err := b.ReadFrom(resp.Body); n != size || err != nil {
		t.Errorf("read %d bytes with error %v, want all %d", n, err, size)
	}
}

type fixedResponse struct{ *http.Response }

func (f fixedResponse) RoundTrip(*http.Request) (*http.Response, error) { return f.Response, nil }

func TestBodiesAreLimitedByStatus(t *testing.T) {
	for status, limited := range map[int]bool{
		http.StatusSwitchingProtocols: false, http.StatusProcessing: true,
		199: true, http.StatusOK: false, http.StatusPartialContent: false, http.StatusMultiStatus: true,
		http.StatusMovedPermanently: true, http.StatusForbidden: true, http.StatusInternalServerError: true,
	} {
		resp, err := LimitErrorBodies(fixedResponse{&http.Response{StatusCode: status, Body: http.NoBody}}).RoundTrip(nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := resp.Body != http.NoBody; got != limited {
			t.Errorf("status %d: limited is %t, want %t", status, got, limited)
		}
		if err := resp.Body.Close(); err != nil {
			t.Errorf("status %d: %v", status, err)
		}
	}
}
