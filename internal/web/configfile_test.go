package web

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"golang.org/x/time/rate"
)

// configFixture is a configuration file in its own folder, with a gate that uses it. It counts how often the file is
// loaded.
type configFixture struct {
	*ConfigFile
	*gate
	t     *testing.T
	dir   string
	loads int
	log   bytes.Buffer
}

func newConfigFixture(t *testing.T, dir, text string) *configFixture {
	t.Helper()
	f := &configFixture{t: t, dir: dir}
	name := writeFile(t, dir, "web.yml", text)
	var err error
	if f.ConfigFile, err = LoadConfigFile(name, false, prometheus.NewRegistry(), slog.New(slog.NewTextHandler(&f.log, nil))); err != nil {
		t.Fatal(err)
	}
	f.load = func(name string) (*config, error) {
		f.loads++
		return loadConfig(name)
	}
	h, _ := newHandler(t, &fakeExporter{})
	f.gate = newGate(f.ConfigFile, h)
	f.tries.limit = rate.Inf // all requests of a test have one address
	return f
}

// status returns the status of a request with a name and password; "" for none.
func (f *configFixture) status(path, user, password string) int {
	r := httptest.NewRequestWithContext(f.t.Context(), http.MethodGet, path, nil)
	if user != "" {
		r.SetBasicAuth(user, password)
	}
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	return w.Code
}

func (f *configFixture) want(path, user, password string, status int) {
	f.t.Helper()
	if got := f.status(path, user, password); got != status {
		f.t.Errorf("%s by %q with %q: got status %d, want %d", path, user, password, got, status)
	}
}

func (f *configFixture) wantLoads(n int) {
	f.t.Helper()
	if f.loads != n {
		f.t.Errorf("the file was loaded %d times, want %d", f.loads, n)
	}
	f.loads = 0
}

// replace replaces the file and polls as often as a reload needs.
func (f *configFixture) replace(text string) {
	writeFile(f.t, f.dir, "web.yml", text)
	f.poll()
	f.poll()
}

const (
	// secondUser's password is "open sesame" as well.
	secondUser = "basic_auth_users:\n  bob: $2a$04$kCdomzmhrpgXaQcic21oTOCYBjDLqcwk4SwRfGJ9J1I4XBqbEr5f6\n"
	sesame     = "open sesame"
)

func TestRequestsAndHandshakesReadNoFile(t *testing.T) {
	dir := t.TempDir()
	writeCertificate(t, dir)
	f := newConfigFixture(t, dir, serverTLS+webConfig)
	check := func() {
		t.Helper()
		for range 20 {
			f.want("/metrics", "ali", sesame, 200)
			f.want("/metrics", "ali", "wrong", 401)
			f.want("/livez", "", "", 200)
			if c, err := f.tlsFor(nil); err != nil || len(c.Certificates) != 1 || c.GetCertificate != nil {
				t.Fatal("a handshake would read the certificate file", err)
			}
		}
		f.wantLoads(0)
	}
	check()
	for _, name := range []string{"web.yml", "cert.pem", "key.pem"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	check()
}

func TestProbesDoNotDependOnTheConfigurationFile(t *testing.T) {
	f := newConfigFixture(t, t.TempDir(), webConfig+"rate_limit: {interval: 1h, burst: 1}\n")
	probes := func() {
		t.Helper()
		for range 3 {
			for _, path := range []string{"/livez", "/readyz", "/healthz"} {
				f.want(path, "", "", 200)
			}
		}
	}
	probes()
	f.want("/metrics", "", "", 401)
	f.want("/metrics", "ali", sesame, 429)
	probes()
	f.replace("broken")
	probes()
	for _, path := range []string{"/livez/", "/livez/x", "//livez", "/metrics"} {
		if got := f.status(path, "", ""); got == 200 {
			t.Errorf("%s without a password: got status %d", path, got)
		}
	}
}

func TestConfigurationFileIsReloadedWhenItChanges(t *testing.T) {
	f := newConfigFixture(t, t.TempDir(), webConfig)
	f.poll()
	f.poll()
	f.wantLoads(0)
	f.want("/metrics", "ali", sesame, 200)
	f.want("/metrics", "bob", sesame, 401)

	writeFile(t, f.dir, "web.yml", secondUser)
	f.poll() // may find a file that is being written
	f.wantLoads(0)
	f.want("/metrics", "ali", sesame, 200)
	f.poll()
	f.wantLoads(2)
	f.want("/metrics", "ali", sesame, 401)
	f.want("/metrics", "bob", sesame, 200)
	f.poll()
	f.poll()
	f.wantLoads(0)
}

func TestCertificateIsReloadedWhenItChanges(t *testing.T) {
	dir := t.TempDir()
	writeCertificate(t, dir)
	f := newConfigFixture(t, dir, serverTLS)
	renewed := renew(t, dir, 4711)
	f.poll()
	f.poll()
	if c, err := f.tlsFor(nil); err != nil || !bytes.Equal(c.Certificates[0].Certificate[0], renewed.Certificate[0]) {
		t.Error("the certificate was not renewed", err)
	}
	writeFile(t, dir, "key.pem", "half of a k")
	f.poll()
	f.poll()
	if c, err := f.tlsFor(nil); err != nil || !bytes.Equal(c.Certificates[0].Certificate[0], renewed.Certificate[0]) {
		t.Error("a broken key replaced the certificate", err)
	}
}

// The ConfigMap of a web configuration file and the Secret that it names reach a pod at different times.
func TestConfigurationFileIsAcceptedOnceAFileThatItNamesExists(t *testing.T) {
	dir := t.TempDir()
	writeCertificate(t, dir)
	f := newConfigFixture(t, dir, serverTLS)
	f.replace("tls_server_config:\n  cert_file: later.pem\n  key_file: key.pem\n")
	if f.Refused() == nil {
		t.Fatal("a configuration that names a missing file was not refused")
	}
	certificate, err := os.ReadFile(filepath.Join(dir, "cert.pem"))
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, dir, "later.pem", string(certificate))
	f.poll()
	f.poll()
	if err := f.Refused(); err != nil {
		t.Errorf("still refused although the file exists: %v", err)
	}
}

// A file that is being written has no users for a moment. A broken file must neither admit every client nor lock out
// any.
func TestRejectedConfigurationKeepsThePreviousOne(t *testing.T) {
	dir := t.TempDir()
	writeCertificate(t, dir)
	f := newConfigFixture(t, dir, webConfig)
	for _, text := range []string{"", "{}\n", "basic_auth_users: {}\n", "basic_auth_users", "users: []\n", serverTLS + webConfig} {
		f.log.Reset()
		f.replace(text)
		f.want("/metrics", "", "", 401)
		f.want("/metrics", "ali", sesame, 200)
		f.poll()
		f.poll()
		if n := strings.Count(f.log.String(), "refused"); n != 1 {
			t.Errorf("%q: got %d lines about the refusal, want 1: %s", text, n, f.log.String())
		}
	}
	f.replace(secondUser)
	f.want("/metrics", "bob", sesame, 200)
}

// A password and a token need the same header, so no client could scrape any more.
func TestUsersThatAreAddedBesideTheAuthFilterAreRejected(t *testing.T) {
	f := newConfigFixture(t, t.TempDir(), "{}\n")
	f.authFilter = true
	f.replace(webConfig)
	f.want("/metrics", "", "", 200)
	if err := f.Refused(); !errors.Is(err, errUsersAndTokens) {
		t.Errorf("got the refusal %v, want %v", err, errUsersAndTokens)
	}
}

// A client that tries passwords must not evict matches from the cache.
func TestWrongPasswordsEvictNoMatch(t *testing.T) {
	f := newConfigFixture(t, t.TempDir(), webConfig)
	f.want("/metrics", "ali", sesame, 200)
	for i := range 3 * maxPasswords {
		f.want("/metrics", "ali", strings.Repeat("x", i%64)+string(rune('a'+i/64)), 401)
	}
	if _, ok := f.matches.yes.Get(matchKey(f.valid.Load().Users["ali"], sesame)); !ok {
		t.Error("wrong passwords evicted the match of the right one")
	}
}

// A comparison is slow, and only one runs at a time.
func TestClientThatTriesPasswordsDoesNotBlockOthers(t *testing.T) {
	f := newConfigFixture(t, t.TempDir(), webConfig)
	f.tries.limit = clientTriesPerSecond
	counts := map[int]int{}
	for i := range 200 {
		counts[f.status("/metrics", "ali", "wrong"+string(rune('a'+i)))]++
	}
	if counts[http.StatusTooManyRequests] < 100 || counts[http.StatusUnauthorized] < clientTriesAtOnce || len(counts) != 2 {
		t.Errorf("wrong passwords: got the statuses %v, want a few 401, and 429 for the others", counts)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
	r.RemoteAddr = "192.0.2.99:1"
	r.SetBasicAuth("ali", sesame)
	w := httptest.NewRecorder()
	if f.ServeHTTP(w, r); w.Code != http.StatusOK {
		t.Errorf("the right password of another client: got status %d, want 200", w.Code)
	}
}

func TestMetricShowsRejectedConfiguration(t *testing.T) {
	dir := t.TempDir()
	registry := prometheus.NewRegistry()
	f, err := LoadConfigFile(writeFile(t, dir, "web.yml", webConfig), false, registry, quiet())
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct{ text, want string }{
		{webConfig, "1"}, {"broken", "0"}, {webConfig, "1"}, {"{}\n", "0"}, {secondUser, "1"},
	} {
		writeFile(t, dir, "web.yml", step.text)
		f.poll()
		f.poll()
		want := "# HELP statefleet_web_config_last_reload_successful Whether the last read of the web configuration file was successful, 1 or 0; " +
			"after a failure the previous configuration stays in use.\n# TYPE statefleet_web_config_last_reload_successful gauge\n" +
			"statefleet_web_config_last_reload_successful " + step.want + "\n"
		if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "statefleet_web_config_last_reload_successful"); err != nil {
			t.Errorf("%q: %v", step.text, err)
		}
		if err := f.Refused(); (err != nil) != (step.want == "0") {
			t.Errorf("%q: got the refusal %v, want gauge %s", step.text, err, step.want)
		}
	}
}
