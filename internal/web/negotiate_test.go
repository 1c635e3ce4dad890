package web

import (
	"mime"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"

	"github.com/statefleet/statefleet/store"
)

const (
	// Accept headers of Prometheus 3, without and with native histograms, and with legacy name validation; and of
	// Prometheus 2.
	prometheus3       = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
	prometheus3Proto  = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
	prometheus3Legacy = "application/openmetrics-text;version=1.0.0;escaping=underscores;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=underscores;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
	prometheus2       = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"

	text004     = "text/plain; version=0.0.4; charset=utf-8"
	open001     = "application/openmetrics-text; version=0.0.1; charset=utf-8"
	open100     = "application/openmetrics-text; version=1.0.0; charset=utf-8"
	utf8        = "; escaping=allow-utf-8"
	underscores = "; escaping=underscores" // expfmt adds it for clients that do not name an escaping
)

func TestNegotiateFormat(t *testing.T) {
	for name, c := range map[string]struct{ accept, want string }{
		"no header":                    {"", text004 + underscores},
		"Prometheus 3":                 {prometheus3, open100 + utf8},
		"Prometheus 3, protobuf first": {prometheus3Proto, open100 + utf8},
		"Prometheus 3, legacy names":   {prometheus3Legacy, open100 + underscores},
		"Prometheus 2":                 {prometheus2, open100 + underscores},
		"protobuf only":                {"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited", text004 + underscores},
		"anything":                     {"*/*", text004 + underscores},
		"any text":                     {"text/*", text004 + underscores},
		"a browser":                    {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", text004 + underscores},
		"JSON only":                    {"application/json", text004 + underscores},
		"OpenMetrics without version":  {"application/openmetrics-text", open001 + underscores},
		"OpenMetrics 0.0.1":            {"application/openmetrics-text; version=0.0.1", open001 + underscores},
		"OpenMetrics of the future":    {"application/openmetrics-text;version=2.0.0,text/plain;version=0.0.4;q=0.5", text004 + underscores},
		"text without version":         {"text/plain", text004 + underscores},
		"text 0.0.4":                   {"text/plain;version=0.0.4", text004 + underscores},
		"text of the future":           {"text/plain;version=7", text004 + underscores},
		"unknown escaping":             {"text/plain;version=0.0.4;escaping=\r\nX-Evil: 1", text004 + underscores},
		"worse clause listed first":    {"text/plain;version=0.0.4;q=0.2,application/openmetrics-text;version=1.0.0;q=0.7", open100 + underscores},
		"named above the wildcard":     {"*/*;q=0.1,application/openmetrics-text;version=1.0.0;q=0.9", open100 + underscores},
		"refused, with another":        {"application/openmetrics-text;version=1.0.0;q=0,text/plain;q=0.1", text004 + underscores},
		"all refused":                  {"*/*;q=0", text004 + underscores},
		"upper case":                   {"Application/OpenMetrics-Text;Version=1.0.0", open100 + underscores},
		"garbage":                      {";;;=,/,a/b/c,;q=,,", text004 + underscores},
	} {
		t.Run(name, func(t *testing.T) {
			format, got := negotiateFormat([]string{c.accept})
			if got != c.want || (format == store.OpenMetrics) != strings.HasPrefix(got, "application/openmetrics-text;") {
				t.Errorf("got %q and format %v, want %q", got, format, c.want)
			}
		})
	}
}

// kube-state-metrics negotiates with the formats of expfmt, and falls back from protobuf to the text format.
func TestNegotiationAgreesWithKubeStateMetrics(t *testing.T) {
	for _, accept := range []string{prometheus3, prometheus3Legacy, prometheus2, "", "*/*", "text/plain", "application/openmetrics-text", "text/html,*/*;q=0.8"} {
		h := http.Header{"Accept": {accept}}
		want := expfmt.NegotiateAccept(h, expfmt.DefaultOpenMetricsAcceptedFormats()...)
		if _, got := negotiateFormat(h["Accept"]); got != string(want) {
			t.Errorf("%q: got %q, want %q", accept, got, want)
		}
	}
}

func TestNegotiationJoinsRepeatedHeaders(t *testing.T) {
	_, got := negotiateFormat([]string{"text/plain;q=0.5", "application/openmetrics-text;version=1.0.0"})
	if got != open100+underscores {
		t.Errorf("got %q, want %q", got, open100+underscores)
	}
}

// FuzzNegotiateFormat checks that every header selects a well-formed type that is served.
func FuzzNegotiateFormat(f *testing.F) {
	f.Add(prometheus3)
	f.Add(prometheus3Proto)
	f.Add("*/*;q=0.9, text/plain; escaping=values;;=,")
	f.Add("text/*;q=0.5, application/openmetrics-text; version=0.0.1")
	known := map[string]bool{text004: true, open001: true, open100: true}
	f.Fuzz(func(t *testing.T, accept string) {
		_, got := negotiateFormat([]string{accept})
		base, _, _ := strings.Cut(got, "; escaping=")
		if !known[base] {
			t.Fatalf("got %q, which is not served", got)
		}
		if _, _, err := mime.ParseMediaType(got); err != nil {
			t.Fatalf("got the malformed type %q: %v", got, err)
		}
	})
}
