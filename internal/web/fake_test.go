package web

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/statefleet/statefleet/store"
)

// fakeExporter exports one info family for each of two kinds.
type fakeExporter struct {
	unready  atomic.Pointer[string]
	released atomic.Int64
	// replace is the result of Snapshot; nil: the two families.
	replace Snapshot
}

func (f *fakeExporter) Ready() error {
	if reason := f.unready.Load(); reason != nil {
		return errors.New(*reason)
	}
	return nil
}

func (f *fakeExporter) Resources() []string { return []string{"jobs", "pods"} }

func (f *fakeExporter) Snapshot(format store.Format, include func(string) bool) (Snapshot, error) {
	if err := f.Ready(); err != nil {
		return nil, err
	}
	if f.replace != nil {
		return f.replace, nil
	}
	var text bytes.Buffer
	for _, kind := range []struct{ resource, family string }{{"jobs", "kube_job"}, {"pods", "kube_pod"}} {
		if !include(kind.resource) {
			continue
		}
		if format == store.OpenMetrics {
			text.WriteString("# TYPE " + kind.family + " info\n")
		} else {
			text.WriteString("# TYPE " + kind.family + "_info gauge\n")
		}
		text.WriteString(kind.family + "_info{namespace=\"default\"} 1\n")
	}
	if format == store.OpenMetrics {
		text.WriteString("# EOF\n")
	}
	return &fakeSnapshot{text: text.Bytes(), released: &f.released}, nil
}

// fakeSnapshot is an exposition that is written at once.
type fakeSnapshot struct {
	text     []byte
	released *atomic.Int64
}

func (p *fakeSnapshot) compressed() []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(p.text)
	_ = z.Close()
	return b.Bytes()
}

func (p *fakeSnapshot) GzipSize() int64 { return int64(len(p.compressed())) }

func (p *fakeSnapshot) WriteGzip(w io.Writer) error {
	_, err := w.Write(p.compressed())
	return err
}

func (p *fakeSnapshot) Size() int64 { return int64(len(p.text)) }

func (p *fakeSnapshot) WriteText(w io.Writer) error {
	_, err := w.Write(p.text)
	return err
}

func (p *fakeSnapshot) Release() { p.released.Add(1) }

// newHandler returns the handler of an exporter and the registry of its self-metrics.
func newHandler(t *testing.T, e Exporter) (http.Handler, *prometheus.Registry) {
	t.Helper()
	r := prometheus.NewRegistry()
	h, err := Handler(e, r, Options{Version: "1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	return h, r
}

// response is the response of a handler.
type response struct {
	status int
	header http.Header
	sent   string // the body as it was sent
	text   string // the body, decompressed if it was gzip
}

// do sends one request to a handler; headers are pairs of name and value.
func do(t *testing.T, h http.Handler, method, target string, headers ...string) response {
	t.Helper()
	return doFrom(t, h, "192.0.2.1:1234", method, target, headers...)
}

// doFrom is do with the address of the client.
func doFrom(t *testing.T, h http.Handler, address, method, target string, headers ...string) response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, nil)
	r.RemoteAddr = address
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	a := response{status: w.Code, header: w.Header(), sent: w.Body.String(), text: w.Body.String()}
	if a.sent != "" && a.header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		a.text = string(text)
	}
	return a
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }
