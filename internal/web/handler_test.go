package web

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// handlers returns the handlers of both ports, which differ in their metrics and first pages.
func handlers(t *testing.T, e Exporter) map[string]http.Handler {
	t.Helper()
	main, registry := newHandler(t, e)
	telemetry, err := TelemetryHandler(e, registry, quiet(), Options{StatusPage: http.NotFoundHandler()})
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
			if r := do(t, h, "GET", path); r.status != http.StatusOK || r.text != "ok\n" {
				t.Errorf("%s: %s when ready: got status %d, want 200", port, path, r.status)
			}
		}
		reason := "API server does not answer, pods are missing"
		e.unready.Store(&reason)
		for path, want := range map[string]int{"/healthz": 200, "/livez": 200, "/readyz": 503} {
			if r := do(t, h, "GET", path); r.status != want {
				t.Errorf("%s: %s when not ready: got status %d, want %d", port, path, r.status, want)
			}
		}
		if text := do(t, h, "GET", "/readyz").text; !strings.Contains(text, reason) {
			t.Errorf("%s: /readyz lacks the reason: %q", port, text)
		}
	}
}

func TestLandingPage(t *testing.T) {
	all := handlers(t, &fakeExporter{})
	r := do(t, all["main"], "GET", "/")
	if r.status != http.StatusOK || !strings.HasPrefix(r.header.Get("Content-Type"), "text/html") {
		t.Errorf("got status %d, Content-Type %q; want 200 and HTML", r.status, r.header.Get("Content-Type"))
	}
	for _, want := range []string{"statefleet", "1.2.3", `href="metrics"`, `href="readyz"`, `href="livez"`} {
		if !strings.Contains(r.text, want) {
			t.Errorf("the landing page lacks %q", want)
		}
	}
	for port, h := range all {
		if r := do(t, h, "GET", "/nothing"); r.status != http.StatusNotFound {
			t.Errorf("%s: unknown path: got status %d, want 404", port, r.status)
		}
	}
}

// A process is a shard only if it is one of several. The landing page does not know whether it is.
func TestLandingPageCallsNoProcessAShard(t *testing.T) {
	h, err := Handler(&fakeExporter{}, prometheus.NewRegistry(), Options{Version: "1.2.3", TelemetryPort: 8081})
	if err != nil {
		t.Fatal(err)
	}
	_, body, found := strings.Cut(do(t, h, "GET", "/").text, "<body>")
	words := strings.ReplaceAll(strings.ToLower(body), "statefleet", "")
	if !found || strings.Contains(words, "shard") || strings.Contains(words, " fleet") {
		t.Errorf("the landing page mentions a shard or a fleet:\n%s", body)
	}
}

// The style is inline, because the style sheet of the status page is on the other port.
func TestLandingPageHasTheStyleOfTheStatusPage(t *testing.T) {
	style, err := os.ReadFile("statuspage/assets/app.css")
	if err != nil {
		t.Fatal(err)
	}
	h, _ := newHandler(t, &fakeExporter{})
	if text := do(t, h, "GET", "/").text; !strings.Contains(text, string(style)) || !strings.HasPrefix(text, "<!doctype html>") {
		t.Errorf("the landing page lacks the style sheet of the status page:\n%s", text)
	}
}

func TestTelemetryShowsTheRegistry(t *testing.T) {
	h := handlers(t, &fakeExporter{})
	do(t, h["main"], "GET", "/metrics")
	r := do(t, h["telemetry"], "GET", "/metrics", "Accept", prometheus3)
	if text := r.text; !strings.Contains(text, `statefleet_scrapes_total{code="200"`) || !strings.HasSuffix(text, "# EOF\n") {
		t.Errorf("the self-metrics lack the scrape or the end of OpenMetrics: %q", text)
	}
}

func TestTwoHandlersOnOneRegistryAreAnError(t *testing.T) {
	_, registry := newHandler(t, &fakeExporter{})
	if _, err := Handler(&fakeExporter{}, registry, Options{}); err == nil {
		t.Error("the second handler on a registry gives no error")
	}
	if _, err := Handler(&fakeExporter{}, prometheus.NewRegistry(), Options{}); err != nil {
		t.Error(err)
	}
}
