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
		if a := ask(t, telemetry, "GET", path); a.status != http.StatusOK || a.text != "fleet at "+path {
			t.Errorf("%s: status %d, %q", path, a.status, a.text)
		}
	}
	if a := ask(t, telemetry, "POST", "/-/fleet"); a.status != http.StatusMethodNotAllowed {
		t.Errorf("POST: status %d", a.status)
	}
	if a := ask(t, main, "GET", "/"); !strings.Contains(a.text, `href="-/fleet"`) || !strings.Contains(a.text, "8081") {
		t.Errorf("the landing page does not lead there: %q", a.text)
	}
	if a := ask(t, main, "GET", "/-/fleet/app.js"); a.status != http.StatusNotFound {
		t.Errorf("the page itself is on the main port: status %d", a.status)
	}
	protectedFleet, _, _ := newFilter(t, &fakeReviewer{})
	if a := ask(t, protectedFleet.Protect(telemetry), "GET", "/-/fleet"); a.status != http.StatusUnauthorized {
		t.Errorf("anybody may see it: status %d", a.status)
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
				t.Errorf("%s: %d to %s, want %s", host, w.Code, got, want)
			}
		}
	}
}
