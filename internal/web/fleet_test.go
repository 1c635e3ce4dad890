package web

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func TestStatusPageIsOnTheTelemetryPort(t *testing.T) {
	fleet := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "fleet at "+r.URL.Path) })
	o := Options{StatusPage: fleet, TelemetryPort: 8081}
	registry := prometheus.NewRegistry()
	main, err := Handler(&fakeExporter{}, registry, o)
	if err != nil {
		t.Fatal(err)
	}
	telemetry, err := TelemetryHandler(&fakeExporter{}, registry, quiet(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/", "/-/fleet", "/-/fleet/app.js"} {
		if a := do(t, telemetry, "GET", path); a.status != http.StatusOK || a.text != "fleet at "+path {
			t.Errorf("%s: got status %d, %q; want the status page", path, a.status, a.text)
		}
	}
	if a := do(t, telemetry, "POST", "/-/fleet"); a.status != http.StatusMethodNotAllowed {
		t.Errorf("POST: got status %d, want 405", a.status)
	}
	if a := do(t, main, "GET", "/"); !strings.Contains(a.text, `href="-/fleet"`) || !strings.Contains(a.text, "8081") {
		t.Errorf("the landing page does not link to the status page: %q", a.text)
	}
	if a := do(t, main, "GET", "/-/fleet/app.js"); a.status != http.StatusNotFound {
		t.Errorf("the status page on the main port: got status %d, want 404", a.status)
	}
	protectedFleet, _, _ := newFilter(t, &fakeReviewer{})
	if a := do(t, protectedFleet.Protect(telemetry), "GET", "/-/fleet"); a.status != http.StatusUnauthorized {
		t.Errorf("without a token: got status %d, want 401", a.status)
	}
}

func TestMainPortRedirectsToTheStatusPage(t *testing.T) {
	for host, want := range map[string]string{
		"statefleet-0:8080": "http://statefleet-0:8081/",
		"statefleet-0":      "http://statefleet-0:8081/",
		"10.0.0.1:8080":     "http://10.0.0.1:8081/",
		"[fd00::1]:8080":    "http://[fd00::1]:8081/",
		"[fd00::1]":         "http://[fd00::1]:8081/",
	} {
		for _, secure := range []bool{false, true} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/-/fleet", nil)
			r.Host = host
			if secure {
				r.TLS, want = new(tls.ConnectionState), strings.Replace(want, "http:", "https:", 1)
			}
			w := httptest.NewRecorder()
			redirectToPort(8081)(w, r)
			if got := w.Header().Get("Location"); got != want || w.Code != http.StatusTemporaryRedirect {
				t.Errorf("%s: got status %d and location %s, want 307 and %s", host, w.Code, got, want)
			}
		}
	}
}
