package graph

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"

	"github.com/statefleet/statefleet/test/prometheus"
)

// source returns the same points for each query, and an error for queries with "broken(".
type source struct {
	values []float64 // one for each step; NaN for no point
	series int
	alerts []prometheus.Alert
}

func (s source) Alerts() []prometheus.Alert { return s.alerts }

func (s source) Matrix(_ context.Context, query string, start, _ time.Time, step time.Duration) (promql.Matrix, error) {
	if strings.Contains(query, "broken(") {
		return nil, errors.New("1:8: parse error: unclosed left parenthesis <b>")
	}
	var all promql.Matrix
	for i := range s.series {
		one := promql.Series{Metric: labels.FromStrings("instance", "statefleet-"+strconv.Itoa(i)+"<b>")}
		for n, value := range s.values {
			if !math.IsNaN(value) {
				one.Floats = append(one.Floats, promql.FPoint{T: start.Add(time.Duration(n) * step).UnixMilli(), F: value})
			}
		}
		all = append(all, one)
	}
	return all, nil
}

// serve answers one request.
func serve(t *testing.T, s source, scale func(int) error, r *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	h, err := New(Options{
		Source: s, Interval: 2 * time.Second, Scale: scale,
		Fleet: func() Fleet {
			return Fleet{Most: 12, Replicas: []Replica{
				{"statefleet-0", "http://127.0.0.1:1/"}, {"statefleet-1", "http://127.0.0.1:2/"},
			}}
		},
		Now: func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) },
	})
	if err != nil {
		t.Fatal(err)
	}
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, r)
	return answer
}

func get(t *testing.T, s source, path string) *httptest.ResponseRecorder {
	t.Helper()
	return serve(t, s, nil, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
}

func steady() source { return source{values: []float64{7, 7, 7}, series: 1} }

func TestPageIsCompleteWithoutAScript(t *testing.T) {
	s := steady()
	s.alerts = []prometheus.Alert{{Name: "StatefleetShardMissing", Summary: "A shard is missing.", Firing: true}}
	answer := get(t, s, "/")
	page := answer.Body.String()
	for _, want := range []string{
		"count(kube_pod_info)", "count by (instance) (kube_pod_info)", "statefleet_topology_active_shards", // the graphs
		"[6s]", `href="http://127.0.0.1:2/"`, "StatefleetShardMissing", "12:00:00", "11:50:00",
		`name="query"`, `name="replicas" min="1" max="12" value="2"`, `src="assets/app.js"`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if graphs := strings.Count(page, `role="img"`); graphs != 3 || answer.Code != http.StatusOK {
		t.Errorf("got %d graphs, status %d; want 3, 200", graphs, answer.Code)
	}
	if view := get(t, s, "/view").Body.String(); !strings.Contains(page, view) {
		t.Error("/view differs from the same part of the page")
	}
	for _, asset := range []string{"app.js", "app.css"} {
		if got := get(t, s, "/assets/"+asset); got.Code != http.StatusOK {
			t.Errorf("%s: got status %d, want 200", asset, got.Code)
		}
	}
	if policy := answer.Header().Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") {
		t.Errorf("got Content-Security-Policy %q, want default-src 'none'", policy)
	}
}

func TestBadQueryGivesAMessage(t *testing.T) {
	for _, path := range []string{"/", "/view"} {
		answer := get(t, steady(), path+"?range=2m&query="+url.QueryEscape("broken("))
		page := answer.Body.String()
		const want = "parse error: unclosed left parenthesis &lt;b&gt;"
		if answer.Code != http.StatusBadRequest || !strings.Contains(page, want) {
			t.Errorf("%s: got status %d and %s, want 400 and %q", path, answer.Code, page, want)
		}
		if graphs := strings.Count(page, `role="img"`); graphs != 3 {
			t.Errorf("%s: got %d other graphs, want 3", path, graphs)
		}
	}
}

func TestQueryHasAGraphOfItsOwn(t *testing.T) {
	page := get(t, steady(), "/?range=2m&query="+url.QueryEscape(` up{job="x"} `)).Body.String()
	for _, want := range []string{"Your query", `value="up{job=&#34;x&#34;}"`, "<option selected>2m", "11:58:00"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if graphs := strings.Count(page, `role="img"`); graphs != 4 {
		t.Errorf("got %d graphs, want 4", graphs)
	}
}

func TestNamesOfSeriesAreEscapedAndManyAreCutOff(t *testing.T) {
	s := steady()
	s.series = maxLines + 3
	page := get(t, s, "/?query=up").Body.String()
	if strings.Contains(page, "<b>") || !strings.Contains(page, "statefleet-1&lt;b&gt;") {
		t.Error("the name of a series is not escaped")
	}
	if !strings.Contains(page, "3 further lines are not shown") {
		t.Error("the page does not mention the lines beyond the limit")
	}
}

func TestWithoutDataThePageSaysSo(t *testing.T) {
	if page := get(t, source{}, "/").Body.String(); strings.Count(page, "No data yet") != 3 {
		t.Errorf("want 3 graphs without data, got\n%s", page)
	}
}

func TestGapIsNotDrawnOver(t *testing.T) {
	nan := math.NaN()
	whole := get(t, source{values: []float64{7, 7, 7, 7, 7}, series: 1}, "/").Body.String()
	broken := get(t, source{values: []float64{7, 7, nan, 7, 7}, series: 1}, "/").Body.String()
	if a, b := segments(whole), segments(broken); b <= a {
		t.Errorf("a line with a gap has %d segments, one without has %d; want more", b, a)
	}
}

// segments returns the number of connected segments of lines in the graphs of a page.
func segments(page string) int {
	n := 0
	for _, part := range strings.Split(page, `class="line`)[1:] {
		path, _, _ := strings.Cut(part, "/>")
		n += strings.Count(path, "M")
	}
	return n
}

func TestAxisHoldsAllValuesWithFewTicks(t *testing.T) {
	for _, most := range []float64{0, 0.3, 1, 5, 9.99, 1037, 215_000, math.Inf(1), math.NaN(), -4} {
		end, tick := nice(most)
		if !math.IsInf(most, 0) && end < most || end/tick > 6 || end/tick < 1 || end <= 0 {
			t.Errorf("maximum %g: got an axis to %g with a tick every %g", most, end, tick)
		}
	}
}

// post sends the form that changes the number of replicas. Site is the value of Sec-Fetch-Site.
func post(t *testing.T, scale func(int) error, replicas, site string) *httptest.ResponseRecorder {
	t.Helper()
	body := strings.NewReader(url.Values{"replicas": {replicas}}.Encode())
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/scale", body)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", site)
	return serve(t, steady(), scale, r)
}

func TestFormScalesTheFleet(t *testing.T) {
	scaled := 0
	answer := post(t, func(n int) error { scaled = n; return nil }, "5", "same-origin")
	if answer.Code != http.StatusSeeOther || answer.Header().Get("Location") != "/" || scaled != 5 {
		t.Errorf("got status %d to %q and %d replicas, want 303 to / and 5",
			answer.Code, answer.Header().Get("Location"), scaled)
	}
}

func TestRefusedNumberOfReplicasGivesAMessage(t *testing.T) {
	refuse := func(int) error { return errors.New("the fleet is still changing") }
	for replicas, want := range map[string]string{
		"5": "the fleet is still changing", "many": "must be an integer, got &#34;many&#34;",
	} {
		answer := post(t, refuse, replicas, "same-origin")
		if page := answer.Body.String(); answer.Code != http.StatusBadRequest || !strings.Contains(page, want) {
			t.Errorf("%s: got status %d and %s, want 400 and %q", replicas, answer.Code, page, want)
		}
	}
}

func TestOtherSitesDoNotScaleTheFleet(t *testing.T) {
	answer := post(t, func(int) error { return errors.New("scaled") }, "5", "cross-site")
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.Code != http.StatusForbidden || strings.Contains(string(text), "scaled") {
		t.Errorf("got status %d and %s, want 403 and no call of scale", answer.Code, text)
	}
}
