package web

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

func TestScrapeByPrometheus(t *testing.T) {
	e := &fakeExporter{}
	h, _ := newHandler(t, e)
	r := do(t, h, "GET", "/metrics", "Accept", prometheus3, "Accept-Encoding", "gzip")
	if r.status != http.StatusOK {
		t.Fatalf("got status %d, want 200", r.status)
	}
	for name, want := range map[string]string{
		"Content-Type":     open100 + utf8,
		"Content-Encoding": "gzip",
		"Vary":             "Accept, Accept-Encoding",
	} {
		if got := r.header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if got := r.header.Get("Content-Length"); got != strconv.Itoa(len(r.sent)) {
		t.Errorf("got Content-Length %s, want %d", got, len(r.sent))
	}
	if text := r.text; !strings.HasSuffix(text, "\n# EOF\n") || !strings.Contains(text, "# TYPE kube_pod info\n") {
		t.Errorf("got %q, want OpenMetrics", text)
	}
	if n := e.released.Load(); n != 1 {
		t.Errorf("the snapshot was released %d times, want once", n)
	}
}

func TestScrapeWithoutAcceptHeader(t *testing.T) {
	h, _ := newHandler(t, &fakeExporter{})
	r := do(t, h, "GET", "/metrics")
	if got := r.header.Get("Content-Type"); got != text004+underscores {
		t.Errorf("got Content-Type %q, want the text format", got)
	}
	if got := r.header.Get("Content-Encoding"); got != "" {
		t.Errorf("got Content-Encoding %q, want none", got)
	}
	text := r.text
	if got := r.header.Get("Content-Length"); got != strconv.Itoa(len(text)) {
		t.Errorf("got Content-Length %s, want %d", got, len(text))
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(families) != 2 || families["kube_pod_info"] == nil || families["kube_job_info"] == nil {
		t.Errorf("got families %v, want kube_pod_info and kube_job_info", families)
	}
}

func TestHeadHasTheHeadersOfGet(t *testing.T) {
	h, _ := newHandler(t, &fakeExporter{})
	for _, encoding := range []string{"gzip", "identity"} {
		headers := []string{"Accept", prometheus3, "Accept-Encoding", encoding}
		get, head := do(t, h, "GET", "/metrics", headers...), do(t, h, "HEAD", "/metrics", headers...)
		if head.sent != "" {
			t.Errorf("%s: HEAD has a body: %q", encoding, head.sent)
		}
		for _, name := range []string{"Content-Type", "Content-Length", "Content-Encoding", "Vary"} {
			if g, h := get.header.Get(name), head.header.Get(name); g != h {
				t.Errorf("%s: %s: GET %q, HEAD %q", encoding, name, g, h)
			}
		}
	}
}

func TestOtherMethodsAreNotAllowed(t *testing.T) {
	h, _ := newHandler(t, &fakeExporter{})
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS"} {
		for _, path := range []string{"/metrics", "/readyz", "/"} {
			r := do(t, h, method, path)
			if r.status != http.StatusMethodNotAllowed || r.header.Get("Allow") != "GET, HEAD" {
				t.Errorf("%s %s: got status %d, Allow %q; want 405 and GET, HEAD",
					method, path, r.status, r.header.Get("Allow"))
			}
		}
	}
}

func TestSelectionOfResources(t *testing.T) {
	h, _ := newHandler(t, &fakeExporter{})
	for query, want := range map[string]string{
		"":                                            "jobs pods",
		"?resources=pods":                             "pods",
		"?resources=pods,jobs":                        "jobs pods",
		"?resources=pods&resources=jobs":              "jobs pods",
		"?resources=":                                 "jobs pods",
		"?resources=%20pods%20,":                      "pods",
		"?exclude_resources=pods":                     "jobs",
		"?exclude_resources=pods,jobs":                "",
		"?exclude_resources=pods&resources=pods":      "",
		"?exclude_resources=jobs&resources=jobs,pods": "pods",

		// Kinds of custom resources without a definition.
		"?resources=foos.v1.example.com,jobs":    "jobs",
		"?resources=foos.v1.example.com":         "",
		"?exclude_resources=foos.v1.example.com": "jobs pods",
	} {
		text := do(t, h, "GET", "/metrics"+query).text
		var got []string
		for _, kind := range []string{"job", "pod"} {
			if strings.Contains(text, "kube_"+kind+"_info{") {
				got = append(got, kind+"s")
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: got %v, want %q", query, got, want)
		}
	}
}

func TestUnknownResourceIsNamed(t *testing.T) {
	h, _ := newHandler(t, &fakeExporter{})
	for query, wants := range map[string]string{
		"resources=pods,pots":    `resources: "pots" is not exported; exported are jobs, pods`,
		"exclude_resources=pots": `exclude_resources: "pots"`,
		"resources=%zz":          "query string",
	} {
		r := do(t, h, "GET", "/metrics?"+query)
		if text := r.text; r.status != http.StatusBadRequest || !strings.Contains(text, wants) {
			t.Errorf("%s: got status %d, %q; want 400, %q", query, r.status, text, wants)
		}
	}
}

func TestScrapesFailUntilReady(t *testing.T) {
	e := &fakeExporter{}
	reason := "jobs are not listed yet"
	e.unready.Store(&reason)
	h, _ := newHandler(t, e)
	for _, method := range []string{"GET", "HEAD"} {
		r := do(t, h, method, "/metrics", "Accept", prometheus3, "Accept-Encoding", "gzip")
		if r.status != http.StatusServiceUnavailable || r.header.Get("Retry-After") == "" {
			t.Errorf("%s: got status %d, Retry-After %q; want 503 and a time",
				method, r.status, r.header.Get("Retry-After"))
		}
		if got := r.header.Get("Content-Type"); got != "text/plain; charset=utf-8" || r.header.Get("Content-Encoding") != "" {
			t.Errorf("%s: got Content-Type %q, Content-Encoding %q; want uncompressed plain text",
				method, got, r.header.Get("Content-Encoding"))
		}
		if text := r.text; !strings.Contains(text, reason) {
			t.Errorf("%s: the response lacks the reason: %q", method, text)
		}
	}
	e.unready.Store(nil)
	if r := do(t, h, "GET", "/metrics"); r.status != http.StatusOK {
		t.Errorf("when ready: got status %d, want 200", r.status)
	}
}

// brokenSnapshot is an exposition of ten bytes whose write fails after three.
type brokenSnapshot struct{ fakeSnapshot }

func (brokenSnapshot) Size() int64 { return 10 }

func (brokenSnapshot) WriteText(w io.Writer) error {
	_, _ = io.WriteString(w, "abc")
	return errors.New("broken")
}

func TestClientNoticesIncompleteResponse(t *testing.T) {
	e := &fakeExporter{}
	e.replace = &brokenSnapshot{fakeSnapshot{released: &e.released}}
	h, registry := newHandler(t, e)
	s := httptest.NewServer(h)
	defer s.Close()
	client := &http.Client{Transport: &http.Transport{DisableCompression: true}}
	defer client.CloseIdleConnections()
	if _, _, err := fetch(t, client, s.URL+"/metrics"); err == nil {
		t.Error("the client got no error for an incomplete response")
	}
	const want = "# HELP statefleet_scrape_write_errors_total Scrapes that were not written completely: the client left or was too slow.\n" +
		"# TYPE statefleet_scrape_write_errors_total counter\nstatefleet_scrape_write_errors_total 1\n"
	s.Close() // waits for the handler
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "statefleet_scrape_write_errors_total"); err != nil {
		t.Error(err)
	}
	if n := e.released.Load(); n != 1 {
		t.Errorf("the snapshot was released %d times, want once", n)
	}
}

func TestScrapesAreCounted(t *testing.T) {
	e := &fakeExporter{}
	h, registry := newHandler(t, e)
	do(t, h, "GET", "/metrics", "Accept", prometheus3, "Accept-Encoding", "gzip")
	do(t, h, "GET", "/metrics", "Accept", prometheus3, "Accept-Encoding", "gzip")
	do(t, h, "GET", "/metrics?resources=none")
	reason := "not yet"
	e.unready.Store(&reason)
	do(t, h, "GET", "/metrics")
	const want = `# HELP statefleet_scrapes_total Scrape requests by negotiated format and encoding, and by status code.
# TYPE statefleet_scrapes_total counter
statefleet_scrapes_total{code="200",encoding="gzip",format="openmetrics"} 2
statefleet_scrapes_total{code="400",encoding="identity",format="text"} 1
statefleet_scrapes_total{code="503",encoding="identity",format="text"} 1
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "statefleet_scrapes_total"); err != nil {
		t.Error(err)
	}
	for _, histogram := range []string{"statefleet_scrape_duration_seconds", "statefleet_scrape_body_bytes"} {
		if n, err := testutil.GatherAndCount(registry, histogram); n != 1 || err != nil {
			t.Errorf("%s: got %d series, error %v; want 1", histogram, n, err)
		}
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("promlint: got problems %v, error %v; want none", problems, err)
	}
}
