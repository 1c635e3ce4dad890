package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/util/cache"
	"k8s.io/client-go/rest"
)

// fakeReviewer accepts three tokens: key-of-prometheus may get /metrics, key-of-admin may get every path, and
// key-of-guest may get none.
type fakeReviewer struct {
	fail                   error
	authentications, rules calls
	wait                   func(context.Context) // in each review; may be nil
}

func (f *fakeReviewer) authenticate(ctx context.Context, token string) (decision, error) {
	f.authentications.add(token)
	if f.wait != nil {
		f.wait(ctx)
	}
	name := strings.TrimPrefix(token, "key-of-")
	known := name == "prometheus" || name == "admin" || name == "guest"
	return decision{yes: known && name != token, user: user{Username: name}}, errors.Join(f.fail, ctx.Err())
}

func (f *fakeReviewer) authorize(ctx context.Context, u user, path string) (decision, error) {
	f.rules.add(u.Username + " " + path)
	if f.wait != nil {
		f.wait(ctx)
	}
	may := u.Username == "admin" || u.Username == "prometheus" && path == "/metrics"
	return decision{yes: may}, errors.Join(f.fail, ctx.Err())
}

// newFilter returns a filter that uses the reviewer, the registry of its counter, and its log. It has no limits per
// client.
func newFilter(t *testing.T, reviews reviewer) (*AuthFilter, *prometheus.Registry, *bytes.Buffer) {
	t.Helper()
	f, r, log := newLimitedFilter(t, reviews)
	f.unknown.limit, f.known.limit = rate.Inf, rate.Inf // all requests of a test have one address
	return f, r, log
}

// newLimitedFilter is newFilter with the limits per client that a real filter has.
func newLimitedFilter(t *testing.T, reviews reviewer) (*AuthFilter, *prometheus.Registry, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	r := prometheus.NewRegistry()
	f, err := NewAuthFilter(&rest.Config{Host: "http://127.0.0.1:9"}, AuthOptions{}, r, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	f.unknown.reviewer, f.known.reviewer = reviews, reviews
	return f, r, &log
}

// protected returns the handlers of both ports, with profiles, behind a filter.
func protected(t *testing.T, f *AuthFilter) map[string]http.Handler {
	t.Helper()
	main, registry := newHandler(t, &fakeExporter{})
	telemetry, err := TelemetryHandler(&fakeExporter{}, registry, quiet(), Options{Profiling: true, StatusPage: http.NotFoundHandler()})
	if err != nil {
		t.Fatal(err)
	}
	return map[string]http.Handler{"metrics": f.Protect(main), "telemetry": f.Protect(telemetry)}
}

func TestEverythingButTheProbesNeedsAToken(t *testing.T) {
	f, _, _ := newFilter(t, &fakeReviewer{})
	for port, h := range protected(t, f) {
		for _, path := range []string{"/healthz", "/livez", "/readyz"} {
			if a := do(t, h, "GET", path); a.status != http.StatusOK {
				t.Errorf("%s %s: got status %d, want 200", port, path, a.status)
			}
		}
		for _, path := range []string{
			"/", "/metrics", "/metrics?resources=pods", "/metrics/", "//metrics", "/nothing", "/-/fleet",
			"/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/profile", "/debug/pprof/cmdline",
			"/readyz/", "//readyz", "/readyz/..", "/readyz/../metrics", "/readyz%2F..%2Fmetrics", "/READYZ", "/livez/x", "/metrics/../readyz",
		} {
			for _, method := range []string{"GET", "HEAD", "POST", "PUT", "OPTIONS", "CONNECT"} {
				a := do(t, h, method, path)
				if a.status != http.StatusUnauthorized || a.header.Get("WWW-Authenticate") != "Bearer" {
					t.Errorf("%s %s %s: got status %d, WWW-Authenticate %q; want 401 and Bearer",
						port, method, path, a.status, a.header.Get("WWW-Authenticate"))
				}
			}
		}
	}
}

func TestCallers(t *testing.T) {
	f, registry, _ := newFilter(t, &fakeReviewer{})
	all := protected(t, f)
	for _, c := range []struct {
		port, path, authorization string
		want                      int
	}{
		{"metrics", "/metrics", "Bearer key-of-prometheus", 200},
		{"metrics", "/metrics", "bearer key-of-prometheus", 200},
		{"metrics", "/metrics", "Bearer  key-of-prometheus ", 200},
		{"metrics", "/", "Bearer key-of-prometheus", 403},
		{"telemetry", "/metrics", "Bearer key-of-prometheus", 200},
		{"telemetry", "/debug/pprof/cmdline", "Bearer key-of-prometheus", 403},
		{"telemetry", "/debug/pprof/cmdline", "Bearer key-of-admin", 200},
		{"metrics", "/debug/pprof/cmdline", "Bearer key-of-admin", 404},
		{"metrics", "/metrics", "Bearer key-of-guest", 403},
		{"metrics", "/nothing", "Bearer key-of-guest", 403},
		{"metrics", "/nothing", "Bearer key-of-admin", 404},
		{"metrics", "/metrics", "Bearer stranger", 401},
		{"metrics", "/metrics", "Bearer", 401},
		{"metrics", "/metrics", "Bearer ", 401},
		{"metrics", "/metrics", "", 401},
		{"metrics", "/metrics", "key-of-prometheus", 401},
		{"metrics", "/metrics", "Basic key-of-prometheus", 401},
		{"metrics", "/metrics", "Bearer key-of-prometheus key-of-admin", 401},
	} {
		if a := do(t, all[c.port], "GET", c.path, "Authorization", c.authorization); a.status != c.want {
			t.Errorf("%s %s, %q: got status %d, want %d", c.port, c.path, c.authorization, a.status, c.want)
		}
	}
	two := do(t, all["metrics"], "GET", "/metrics", "Authorization", "Bearer key-of-prometheus", "Authorization", "Bearer key-of-admin")
	if two.status != http.StatusUnauthorized {
		t.Errorf("two tokens: got status %d, want 401", two.status)
	}
	const want = `# HELP statefleet_auth_requests_total Requests checked by --auth-filter, on both ports, by result; error: the API server could not be asked; limited: too many unknown tokens or paths from one address.
# TYPE statefleet_auth_requests_total counter
statefleet_auth_requests_total{result="allowed"} 7
statefleet_auth_requests_total{result="denied"} 4
statefleet_auth_requests_total{result="error"} 0
statefleet_auth_requests_total{result="limited"} 0
statefleet_auth_requests_total{result="unauthenticated"} 8
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}

func TestErrorsOfTheAPIServerAreNotRevealed(t *testing.T) {
	reviews := &fakeReviewer{fail: errors.New("dial tcp 10.0.0.1:443: refused")}
	f, _, log := newFilter(t, reviews)
	h := protected(t, f)["metrics"]
	for range 3 {
		a := do(t, h, "GET", "/metrics", "Authorization", "Bearer key-of-prometheus")
		if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
			t.Errorf("got status %d, Retry-After %q; want 503 and a time", a.status, a.header.Get("Retry-After"))
		}
		if strings.Contains(a.text, "10.0.0.1") || strings.Contains(a.text, "key-of-") {
			t.Errorf("the response reveals an address or a token: %q", a.text)
		}
	}
	if a := do(t, h, "GET", "/readyz"); a.status != http.StatusOK {
		t.Errorf("/readyz: got status %d, want 200", a.status)
	}
	reviews.fail = nil
	for range 3 {
		if a := do(t, h, "GET", "/metrics", "Authorization", "Bearer key-of-prometheus"); a.status != http.StatusOK {
			t.Errorf("after the failure: got status %d, want 200", a.status)
		}
	}
	text := log.String()
	if strings.Count(text, "reviews of callers fail") != 1 || strings.Count(text, "10.0.0.1") != 1 ||
		strings.Count(text, "reviews of callers succeed again") != 1 {
		t.Errorf("want one failure and one recovery in the log:\n%s", text)
	}
	if strings.Contains(text, "key-of-") {
		t.Errorf("the log contains the token:\n%s", text)
	}
}

func TestFilterNeedsAClient(t *testing.T) {
	config := &rest.Config{Host: "https://127.0.0.1:9", TLSClientConfig: rest.TLSClientConfig{CAData: []byte("garbage")}}
	if f, err := NewAuthFilter(config, AuthOptions{}, prometheus.NewRegistry(), quiet()); f != nil || err == nil {
		t.Errorf("got filter %v and error %v, want an error only", f, err)
	}
}

func TestTokensAreNotStored(t *testing.T) {
	f, _, _ := newFilter(t, &fakeReviewer{})
	h := protected(t, f)["metrics"]
	for _, token := range []string{"key-of-prometheus", "key-of-none"} {
		do(t, h, "GET", "/metrics", "Authorization", "Bearer "+token)
	}
	if n, m := len(f.users.yes.Keys()), len(f.users.no.Keys()); n != 1 || m != 1 {
		t.Fatalf("got %d accepted and %d refused tokens in the cache, want 1 and 1", n, m)
	}
	var cached strings.Builder
	for _, c := range []*cache.LRUExpireCache{f.users.yes, f.users.no, f.rights.yes, f.rights.no} {
		for _, key := range c.Keys() {
			value, _ := c.Get(key)
			fmt.Fprintf(&cached, "%s %+v", key, value)
		}
	}
	if strings.Contains(cached.String(), "key-of-") {
		t.Errorf("the cache contains a token: %q", cached.String())
	}
}

func TestTwoFiltersOnOneRegistryAreAnError(t *testing.T) {
	_, registry, _ := newFilter(t, &fakeReviewer{})
	if _, err := NewAuthFilter(&rest.Config{}, AuthOptions{}, registry, quiet()); err == nil {
		t.Error("the second filter on a registry gives no error")
	}
}

// "OPTIONS *" has no path, and the standard library would answer it without the handler.
func TestOptionsRequestsNeedAToken(t *testing.T) {
	f, _, _ := newFilter(t, &fakeReviewer{})
	r := start(t, Server{Handler: protected(t, f)["metrics"], Timeouts: DefaultTimeouts()}, 1)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", r.addresses[0])
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	response, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(response), "HTTP/1.1 401 ") {
		t.Errorf("got %q, error %v; want status 401", response, err)
	}
	r.stop()
	if err := r.wait(t); err != nil {
		t.Error(err)
	}
}

// With a prefix, the permission to scrape is useless at the API server, and the permission for the API server's own
// metrics is useless here.
func TestPathPrefixNeedsASeparatePermission(t *testing.T) {
	reviews := &fakeReviewer{}
	f, _, _ := newFilter(t, reviews)
	f.prefix = "/statefleet"
	h := protected(t, f)["metrics"]
	if a := do(t, h, "GET", "/metrics", "Authorization", "Bearer key-of-prometheus"); a.status != http.StatusForbidden {
		t.Errorf("a caller with the permission for /metrics: got status %d, want 403", a.status)
	}
	if a := do(t, h, "GET", "/metrics", "Authorization", "Bearer key-of-admin"); a.status != http.StatusOK {
		t.Errorf("a caller with the permission for all paths: got status %d, want 200", a.status)
	}
	if n := reviews.rules.of("prometheus /statefleet/metrics"); n != 1 {
		t.Errorf("got %d reviews of /statefleet/metrics, want 1", n)
	}
}
