package web

import (
	"mime"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"
)

const (
	// What Prometheus 3 sends, without and with native histograms, and under legacy name validation; what Prometheus 2 sent.
	prometheus3       = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
	prometheus3Proto  = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
	prometheus3Legacy = "application/openmetrics-text;version=1.0.0;escaping=underscores;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=underscores;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
	prometheus2       = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"

	text004  = "text/plain; version=0.0.4; charset=utf-8"
	text100  = "text/plain; version=1.0.0; charset=utf-8"
	open001  = "application/openmetrics-text; version=0.0.1; charset=utf-8"
	open100  = "application/openmetrics-text; version=1.0.0; charset=utf-8"
	withUTF8 = "; escaping=allow-utf-8"
)

func TestNegotiate(t *testing.T) {
	for name, c := range map[string]struct{ accept, want string }{
		"no header":                       {"", text004},
		"Prometheus 3":                    {prometheus3, open100 + withUTF8},
		"Prometheus 3, protobuf first":    {prometheus3Proto, open100 + withUTF8},
		"Prometheus 3, legacy names":      {prometheus3Legacy, open100 + "; escaping=underscores"},
		"Prometheus 2":                    {prometheus2, open100},
		"protobuf only":                   {"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited", text004},
		"anything":                        {"*/*", text004},
		"any text":                        {"text/*", text004},
		"a browser":                       {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", text004},
		"JSON only":                       {"application/json", text004},
		"OpenMetrics without version":     {"application/openmetrics-text", open001},
		"OpenMetrics 0.0.1":               {"application/openmetrics-text; version=0.0.1", open001},
		"OpenMetrics quoted version":      {`application/openmetrics-text; version="1.0.0"`, open100},
		"OpenMetrics of the future":       {"application/openmetrics-text;version=2.0.0,text/plain;version=1.0.0;q=0.5", text100},
		"text without version":            {"text/plain", text004},
		"text 0.0.4":                      {"text/plain;version=0.0.4", text004},
		"text 1.0.0":                      {"text/plain;version=1.0.0;escaping=allow-utf-8", text100 + withUTF8},
		"text of the future":              {"text/plain;version=7", text004},
		"escaping that changes our names": {"text/plain;version=1.0.0;escaping=dots", text100},
		"escaping unheard of":             {"text/plain;version=1.0.0;escaping=\r\nX-Evil: 1", text100},
		"worse clause listed first":       {"text/plain;version=0.0.4;q=0.2,application/openmetrics-text;version=1.0.0;q=0.7", open100},
		"wildcard above the named":        {"*/*;q=0.9,application/openmetrics-text;version=1.0.0;q=0.1", text004},
		"named above the wildcard":        {"*/*;q=0.1,application/openmetrics-text;version=1.0.0;q=0.9", open100},
		"equal quality":                   {"text/plain;version=0.0.4,application/openmetrics-text;version=1.0.0", open100},
		"refused":                         {"application/openmetrics-text;version=1.0.0;q=0,text/plain;q=0.1", text004},
		"all refused":                     {"*/*;q=0", text004},
		"quality that is no number":       {"application/openmetrics-text;version=1.0.0;q=NaN", text004},
		"upper case":                      {"Application/OpenMetrics-Text;Version=1.0.0", open100},
		"garbage":                         {";;;=,/,a/b/c,;q=,,", text004},
	} {
		t.Run(name, func(t *testing.T) {
			if got := negotiate([]string{c.accept}).contentType(); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// The choice is the one that the exposition library of Prometheus would make, for what Prometheus sends.
func TestNegotiateAgreesWithExpfmt(t *testing.T) {
	for _, accept := range []string{prometheus3, prometheus3Proto, prometheus3Legacy, prometheus2, "", "*/*", "text/plain"} {
		got := negotiate([]string{accept}).contentType()
		h := map[string][]string{"Accept": {accept}}
		want := expfmt.NegotiateAccept(h, expfmt.FmtOpenMetrics_1_0_0, expfmt.FmtOpenMetrics_0_0_1, expfmt.FmtText)
		if want.FormatType() != expfmt.Format(got).FormatType() || !strings.Contains(string(want), "version="+expfmt.Format(got).Version()+";") {
			t.Errorf("%q: got %q, expfmt chooses %q", accept, got, want)
		}
	}
}

func TestNegotiateJoinsRepeatedHeaders(t *testing.T) {
	got := negotiate([]string{"text/plain;q=0.5", "application/openmetrics-text;version=1.0.0"}).contentType()
	if got != open100 {
		t.Errorf("got %q, want %q", got, open100)
	}
}

// FuzzNegotiate: whatever is asked for, the answer is one of our types and, where the header is well-formed, the one
// that another reader of media types finds the best.
func FuzzNegotiate(f *testing.F) {
	f.Add(prometheus3)
	f.Add(prometheus3Proto)
	f.Add("*/*;q=0.9, text/plain; escaping=values;;=,")
	f.Add("text/*;q=0.5, application/openmetrics-text; version=0.0.1")
	known := map[string]bool{text004: true, text100: true, open001: true, open100: true}
	f.Fuzz(func(t *testing.T, accept string) {
		got := negotiate([]string{accept}).contentType()
		base, _, _ := strings.Cut(got, "; escaping=")
		if !known[base] {
			t.Fatalf("%q is none of ours", got)
		}
		if _, _, err := mime.ParseMediaType(got); err != nil {
			t.Fatalf("%q: %v", got, err)
		}
		if want, ok := bestType(accept); ok && base != want {
			t.Fatalf("%q: got %q, want %q", accept, base, want)
		}
	})
}

// bestType reads a header with the standard library; false when it can't be read without doubt.
func bestType(accept string) (string, bool) {
	means := map[string]string{
		"*/*": text004, "text/*": text004, "text/plain": text004, "text/plain 0.0.4": text004, "text/plain 1.0.0": text100,
		"application/openmetrics-text": open001, "application/openmetrics-text 0.0.1": open001, "application/openmetrics-text 1.0.0": open100,
	}
	quality := map[string]float64{}
	for _, clause := range strings.Split(accept, ",") {
		name, parameters, err := mime.ParseMediaType(clause)
		if err != nil || strings.ContainsAny(clause, `"*\`) && !strings.Contains(clause, "/*") {
			return "", false
		}
		q := 1.0
		if text, given := parameters["q"]; given {
			if !regexp.MustCompile(`^(0(\.[0-9]{0,3})?|1(\.0{0,3})?)$`).MatchString(text) {
				return "", false
			}
			q, _ = strconv.ParseFloat(text, 64)
		}
		offer := means[strings.TrimSpace(name+" "+parameters["version"])]
		quality[offer] = max(quality[offer], q)
	}
	best, most := text004, 0.0
	for _, offer := range []string{open100, open001, text100, text004} { // of equals the first
		if q := quality[offer]; q > most {
			best, most = offer, q
		}
	}
	return best, true
}
