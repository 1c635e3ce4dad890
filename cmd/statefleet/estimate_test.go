package main

import (
	"io"
	"math"
	"net/http"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/statefleet/statefleet/internal/config"
	"github.com/statefleet/statefleet/internal/testing/exporter"
)

// estimated runs an estimate that succeeds and returns what it prints.
func estimated(t *testing.T, args ...string) string {
	t.Helper()
	var out, log exporter.Buffer
	if code := run(t.Context(), append([]string{config.EstimateCommand}, args...), &out, &log); code != exitOK {
		t.Fatalf("ended with status %d: %s", code, log.String())
	}
	return out.String()
}

// firstRow returns the columns of the line that begins with a word.
func firstRow(t *testing.T, text, word string) []string {
	t.Helper()
	for line := range strings.Lines(text) {
		if columns := regexp.MustCompile(` {2,}`).Split(strings.TrimSpace(line), -1); columns[0] == word {
			return columns
		}
	}
	t.Fatalf("no line begins with %q:\n%s", word, text)
	return nil
}

// TestEstimateOfAClusterIsWhatARunShows: objects and series that an estimate reads are those of the page of a replica.
func TestEstimateOfAClusterIsWhatARunShows(t *testing.T) {
	_, api := exporter.Cluster(t)
	for _, args := range [][]string{
		{api, "--resources=pods,jobs"},
		{api, "--resources=pods,jobs", "--metric-denylist=kube_pod_status", "--metric-labels-allowlist=pods=[*]"},
		{api, "--resources=pods,jobs", "--namespaces=kube-system,default"},
	} {
		p := start(t, args...)
		page := p.Samples(t)
		p.End(t)
		text := estimated(t, args...)
		all := firstRow(t, text, "all")
		if len(all) < 3 {
			t.Fatalf("%q", all)
		}
		series, err := strconv.ParseFloat(all[2], 64)
		if err != nil || math.Abs(series-float64(len(page))) > 1 {
			t.Errorf("%q: %s series are estimated, %d are on the page", args, all[2], len(page))
		}
	}
}

func TestEstimateSamples(t *testing.T) {
	c, api := exporter.Cluster(t)
	pods := strconv.Itoa(len(c.Names("pods")))
	for _, test := range []struct{ sample, says string }{
		{"10", "are those of 10 objects of this cluster"},
		{"0", "are those of a simulated cluster"},
		{"5000", "are those of " + pods + " objects of this cluster"},
	} {
		text := estimated(t, api, "--resources=pods", "--sample="+test.sample)
		if row := firstRow(t, text, "pods"); row[1] != pods {
			t.Errorf("sample of %s: %q, want %s pods", test.sample, row, pods)
		}
		if !strings.Contains(text, test.says) {
			t.Errorf("sample of %s: lacks %q:\n%s", test.sample, test.says, text)
		}
	}
	if row := firstRow(t, estimated(t, api, "--pods=4321"), "pods"); row[1] != "4321" {
		t.Errorf("%q: a number that is given counts in place of the cluster's", row)
	}
}

// TestEstimateCountsWhereTheServerDoesNot: not every list says how many objects remain.
func TestEstimateCountsWhereTheServerDoesNot(t *testing.T) {
	c, api := exporter.Cluster(t)
	proxy := bend(t, api, func(answer string) string {
		return regexp.MustCompile(`,?"remainingItemCount":\d+`).ReplaceAllString(answer, "")
	})
	pods := strconv.Itoa(len(c.Names("pods")))
	for _, sample := range []string{"0", "7"} {
		if row := firstRow(t, estimated(t, proxy, "--resources=pods", "--sample="+sample), "pods"); row[1] != pods {
			t.Errorf("%q, want %s pods", row, pods)
		}
	}
}

// TestEstimateNamesWhatIsForbidden: kinds that may not be listed are shown, and the others counted.
func TestEstimateNamesWhatIsForbidden(t *testing.T) {
	target, err := url.Parse(apiURL(t))
	if err != nil {
		t.Fatal(err)
	}
	forward := httputil.NewSingleHostReverseProxy(target)
	forbid := func(path string) string {
		return exporter.ServeAPI(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasSuffix(r.URL.Path, path) {
				forward.ServeHTTP(w, r)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403}`)
		}))
	}
	text := estimated(t, forbid("/secrets"), "--resources=secrets,pods")
	if row := firstRow(t, text, "secrets"); row[1] != "Forbidden" {
		t.Errorf("%q, want it to be forbidden", row)
	}
	firstRow(t, text, "pods")
	var log exporter.Buffer
	if code := run(t.Context(), []string{config.EstimateCommand, forbid("/secrets"), "--resources=secrets"}, io.Discard, &log); code != exitFailure {
		t.Errorf("status %d when nothing can be listed: %s", code, log.String())
	}
}

func apiURL(t *testing.T) string {
	t.Helper()
	_, api := exporter.Cluster(t)
	return strings.TrimPrefix(api, "--apiserver=")
}

// bend serves the API as JSON, with each answer changed.
func bend(t *testing.T, api string, change func(string) string) string {
	t.Helper()
	return exporter.ServeAPI(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request, err := http.NewRequestWithContext(r.Context(), http.MethodGet, strings.TrimPrefix(api, "--apiserver=")+r.URL.RequestURI(), nil)
		if err != nil {
			t.Error(err)
			return
		}
		request.Header.Set("Accept", "application/json")
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = answer.Body.Close() }()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, change(string(body)))
	}))
}

// What is advised must be what was asked for: no default limit where there must be none, and a fleet that stands by.
func TestEstimateAdvisesWhatWasAskedFor(t *testing.T) {
	_, api := exporter.Cluster(t)
	for _, test := range []struct {
		flags []string
		says  []string
	}{
		{nil, []string{"--set resources.limits.memory=512Mi\n", "resources: [manifests/base]", "limits: {memory: 512Mi}"}},
		{[]string{"--memory-limit=0"}, []string{"--set resources.limits.memory=null\n", "Mi}}\n"}},
		{[]string{"--shard.standby"}, []string{",standby.enabled=true\n", "resources: [manifests/overlays/standby]"}},
	} {
		text := estimated(t, append([]string{api, "--resources=pods"}, test.flags...)...)
		for _, says := range test.says {
			if !strings.Contains(text, says) {
				t.Errorf("%q: %q is not in\n%s", test.flags, says, text)
			}
		}
	}
}
