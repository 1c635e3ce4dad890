package web

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// handlers returns the handlers of both ports; they answer alike but for the page of metrics.
func handlers(t *testing.T, e Exporter) map[string]http.Handler {
	t.Helper()
	main, registry := newHandler(t, e)
	telemetry, err := TelemetryHandler(e, registry, quiet(), Options{Version: "1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	return map[string]http.Handler{"main": main, "telemetry": telemetry}
}

func TestHealth(t *testing.T) {
	e := &fakeExporter{}
	for port, h := range handlers(t, e) {
		e.unready.Store(nil)
		for _, path := range []string{"/healthz", "/livez", "/readyz"} {
			if r := ask(t, h, "GET", path); r.status != http.StatusOK || r.text != "ok\n" {
				t.Errorf("%s: %s when ready: status %d", port, path, r.status)
			}
		}
		reason := "API server does not answer, pods are missing"
		e.unready.Store(&reason)
		for path, want := range map[string]int{"/healthz": 200, "/livez": 200, "/readyz": 503} {
			if r := ask(t, h, "GET", path); r.status != want {
				t.Errorf("%s: %s when not ready: status %d, want %d", port, path, r.status, want)
			}
		}
		if text := ask(t, h, "GET", "/readyz").text; !strings.Contains(text, reason) {
			t.Errorf("%s: the reason is missing: %q", port, text)
		}
	}
}

func TestLandingPage(t *testing.T) {
	for port, h := range handlers(t, &fakeExporter{}) {
		r := ask(t, h, "GET", "/")
		text := r.text
		if r.status != http.StatusOK || !strings.HasPrefix(r.header.Get("Content-Type"), "text/html") {
			t.Errorf("%s: status %d, Content-Type %q", port, r.status, r.header.Get("Content-Type"))
		}
		for _, want := range []string{"statefleet", "1.2.3", `href="metrics"`, `href="readyz"`, `href="livez"`} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q in the page", port, want)
			}
		}
		if strings.Contains(text, "debug/pprof") {
			t.Errorf("%s: links to profiles that are not served", port)
		}
		if r := ask(t, h, "GET", "/nothing"); r.status != http.StatusNotFound {
			t.Errorf("%s: unknown path: status %d", port, r.status)
		}
	}
}

// A process is a shard only if it is one of several, which this page does not know.
func TestLandingPageCallsNoProcessAShard(t *testing.T) {
	h, err := Handler(&fakeExporter{}, prometheus.NewRegistry(), Options{Version: "1.2.3", TelemetryPort: 8081})
	if err != nil {
		t.Fatal(err)
	}
	_, body, found := strings.Cut(ask(t, h, "GET", "/").text, "<body>")
	words := strings.ReplaceAll(strings.ToLower(body), "statefleet", "")
	if !found || strings.Contains(words, "shard") || strings.Contains(words, " fleet") {
		t.Errorf("the page:\n%s", body)
	}
}

// The style is inline, because the style sheet of the status page is on the other port.
func TestLandingPageHasTheStyleOfTheStatusPage(t *testing.T) {
	style, err := os.ReadFile("statuspage/assets/app.css")
	if err != nil {
		t.Fatal(err)
	}
	for port, h := range handlers(t, &fakeExporter{}) {
		if text := ask(t, h, "GET", "/").text; !strings.Contains(text, string(style)) || !strings.HasPrefix(text, "<!doctype html>") {
			t.Errorf("%s: no such style in\n%s", port, text)
		}
	}
}

func TestTelemetryShowsTheRegistry(t *testing.T) {
	h := handlers(t, &fakeExporter{})
	ask(t, h["main"], "GET", "/metrics")
	r := ask(t, h["telemetry"], "GET", "/metrics", "Accept", prometheus3)
	if text := r.text; !strings.Contains(text, `statefleet_scrapes_total{code="200"`) || !strings.HasSuffix(text, "# EOF\n") {
		t.Errorf("unexpected page: %q", text)
	}
}

func TestTwoHandlersOnOneRegistryAreAnError(t *testing.T) {
	_, registry := newHandler(t, &fakeExporter{})
	if _, err := Handler(&fakeExporter{}, registry, Options{}); err == nil {
		t.Error("no error")
	}
	if _, err := Handler(&fakeExporter{}, prometheus.NewRegistry(), Options{}); err != nil {
		t.Error(err)
	}
}
