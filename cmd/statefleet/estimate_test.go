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

// runEstimate runs an estimate that must succeed, and returns its output.
func runEstimate(t *testing.T, args ...string) string {
	t.Helper()
	var out, log exporter.Buffer
	if code := run(t.Context(), append([]string{config.EstimateCommand}, args...), &out, &log); code != exitOK {
		t.Fatalf("exit status %d, want %d: %s", code, exitOK, log.String())
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

// TestEstimateOfAClusterMatchesTheExposition compares the number of series of an estimate with a replica's exposition.
func TestEstimateOfAClusterMatchesTheExposition(t *testing.T) {
	_, api := exporter.Cluster(t)
	for _, args := range [][]string{
		{api, "--resources=pods,jobs"},
		{api, "--resources=pods,jobs", "--metric-denylist=kube_pod_status", "--metric-labels-allowlist=pods=[*]"},
		{api, "--resources=pods,jobs", "--namespaces=kube-system,default"},
	} {
		p := start(t, args...)
		lines := p.Samples(t)
		p.End(t)
		text := runEstimate(t, args...)
		all := firstRow(t, text, "all")
		if len(all) < 3 {
			t.Fatalf("got %d columns, want at least 3: %q", len(all), all)
		}
		series, err := strconv.ParseFloat(all[2], 64)
		if err != nil || math.Abs(series-float64(len(lines))) > 1 {
			t.Errorf("%q: estimated %s series, the exposition has %d", args, all[2], len(lines))
		}
	}
}

func TestEstimateSamples(t *testing.T) {
	c, api := exporter.Cluster(t)
	pods := strconv.Itoa(len(c.Names("pods")))
	for _, test := range []struct{ sample, want string }{
		{"10", "are those of 10 objects of this cluster"},
		{"0", "are those of a simulated cluster"},
		{"5000", "are those of " + pods + " objects of this cluster"},
	} {
		text := runEstimate(t, api, "--resources=pods", "--sample="+test.sample)
		if row := firstRow(t, text, "pods"); row[1] != pods {
			t.Errorf("sample of %s: got %q, want %s pods", test.sample, row, pods)
		}
		if !strings.Contains(text, test.want) {
			t.Errorf("sample of %s: the text lacks %q:\n%s", test.sample, test.want, text)
		}
	}
	if row := firstRow(t, runEstimate(t, api, "--pods=4321"), "pods"); row[1] != "4321" {
		t.Errorf("got %q, want 4321 pods: --pods overrides the number in the cluster", row)
	}
}

// TestEstimateCountsObjectsIfTheServerDoesNot covers lists without remainingItemCount, which is optional.
func TestEstimateCountsObjectsIfTheServerDoesNot(t *testing.T) {
	c, api := exporter.Cluster(t)
	proxy := rewritingProxy(t, api, func(body string) string {
		return regexp.MustCompile(`,?"remainingItemCount":\d+`).ReplaceAllString(body, "")
	})
	pods := strconv.Itoa(len(c.Names("pods")))
	for _, sample := range []string{"0", "7"} {
		if row := firstRow(t, runEstimate(t, proxy, "--resources=pods", "--sample="+sample), "pods"); row[1] != pods {
			t.Errorf("got %q, want %s pods", row, pods)
		}
	}
}

// TestEstimateNamesForbiddenKinds: an estimate names the kinds that it may not list, and counts the others.
func TestEstimateNamesForbiddenKinds(t *testing.T) {
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
	text := runEstimate(t, forbid("/secrets"), "--resources=secrets,pods")
	if row := firstRow(t, text, "secrets"); row[1] != "Forbidden" {
		t.Errorf("got %q, want Forbidden", row)
	}
	firstRow(t, text, "pods")
	var log exporter.Buffer
	if code := run(t.Context(), []string{config.EstimateCommand, forbid("/secrets"), "--resources=secrets"}, io.Discard, &log); code != exitFailure {
		t.Errorf("all kinds are forbidden: exit status %d, want %d: %s", code, exitFailure, log.String())
	}
}

func apiURL(t *testing.T) string {
	t.Helper()
	_, api := exporter.Cluster(t)
	return strings.TrimPrefix(api, "--apiserver=")
}

// rewritingProxy serves the API as JSON and applies change to each response body.
func rewritingProxy(t *testing.T, api string, change func(string) string) string {
	t.Helper()
	return exporter.ServeAPI(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request, err := http.NewRequestWithContext(r.Context(), http.MethodGet, strings.TrimPrefix(api, "--apiserver=")+r.URL.RequestURI(), nil)
		if err != nil {
			t.Error(err)
			return
		}
		request.Header.Set("Accept", "application/json")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = response.Body.Close() }()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, change(string(body)))
	}))
}

// The recommendation must follow the flags: no default limit with --memory-limit=0, and standby with --shard.standby.
func TestEstimateRecommendationFollowsTheFlags(t *testing.T) {
	_, api := exporter.Cluster(t)
	for _, test := range []struct {
		flags []string
		want  []string
	}{
		{nil, []string{"--set resources.limits.memory=512Mi\n", "resources: [manifests/base]", "limits: {memory: 512Mi}"}},
		{[]string{"--memory-limit=0"}, []string{"--set resources.limits.memory=null\n", "Mi}}\n"}},
		{[]string{"--shard.standby"}, []string{",standby.enabled=true\n", "resources: [manifests/overlays/standby]"}},
	} {
		text := runEstimate(t, append([]string{api, "--resources=pods"}, test.flags...)...)
		for _, want := range test.want {
			if !strings.Contains(text, want) {
				t.Errorf("%q: the text lacks %q:\n%s", test.flags, want, text)
			}
		}
	}
}
