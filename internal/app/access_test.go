package app

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/benchmarks/simulator/generator"
	"github.com/statefleet/statefleet/internal/testing/exporter"
)

// reviewingAPI returns the flag for a simulated cluster whose API server reviews callers. paths maps each accepted
// token to the path that its bearer may get; "*" stands for all paths.
func reviewingAPI(t *testing.T, paths map[string]string) string {
	t.Helper()
	c := simulator.New(simulator.Options{Seed: 1})
	if err := c.Populate(generator.Scale(60).Objects()); err != nil {
		t.Fatal(err)
	}
	review := func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		object, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, nil)
		if err != nil {
			t.Error(err)
		}
		decide(object, paths)
		w.Header().Set("Content-Type", runtime.ContentTypeJSON)
		_ = json.NewEncoder(w).Encode(object)
	}
	mux := http.NewServeMux()
	mux.Handle("/", c.Handler())
	mux.HandleFunc("POST /apis/authentication.k8s.io/v1/tokenreviews", review)
	mux.HandleFunc("POST /apis/authorization.k8s.io/v1/subjectaccessreviews", review)
	return exporter.ServeAPI(t, mux)
}

func decide(object runtime.Object, paths map[string]string) {
	switch o := object.(type) {
	case *authenticationv1.TokenReview:
		_, o.Status.Authenticated = paths[o.Spec.Token]
		o.Status.User.Username = o.Spec.Token
	case *authorizationv1.SubjectAccessReview:
		allowed := paths[o.Spec.User]
		o.Status.Allowed = allowed == "*" || allowed == o.Spec.NonResourceAttributes.Path
	}
}

// status returns the status of a request with a token; "" for none.
func (p *program) status(t *testing.T, url, token string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := p.Client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode
}

func TestAuthFilterCoversBothPorts(t *testing.T) {
	api := reviewingAPI(t, map[string]string{"scraper-token": "/metrics", "admin-token": "*", "guest-token": "/nothing"})
	p := start(t, api, "--resources=jobs", "--auth-filter", "--telemetry.pprof")
	p.Ready(t)
	for _, address := range []string{p.Metrics, p.Telemetry} {
		url := "http://" + address
		for token, want := range map[string]int{"": 401, "unknown-token": 401, "guest-token": 403, "scraper-token": 200, "admin-token": 200} {
			if got := p.status(t, url+"/metrics", token); got != want {
				t.Errorf("%s/metrics, %q: got status %d, want %d", url, token, got, want)
			}
		}
		for _, path := range []string{"/livez", "/healthz", "/readyz"} {
			if got := p.status(t, url+path, ""); got != http.StatusOK {
				t.Errorf("%s%s: got status %d, want 200", url, path, got)
			}
		}
		if got := p.status(t, url+"/", "scraper-token"); got != http.StatusForbidden {
			t.Errorf("%s/: got status %d, want 403", url, got)
		}
	}
	for token, want := range map[string]int{"": 401, "scraper-token": 403, "admin-token": 200} {
		if got := p.status(t, "http://"+p.Telemetry+"/debug/pprof/cmdline", token); got != want {
			t.Errorf("profiles, %q: got status %d, want %d", token, got, want)
		}
	}
	if got := p.status(t, "http://"+p.Metrics+"/debug/pprof/cmdline", "admin-token"); got != http.StatusNotFound {
		t.Errorf("profiles on the main port: got status %d, want 404", got)
	}
	text := p.Log.String()
	if strings.Contains(text, "-token") || strings.Contains(text, "level=ERROR") || !strings.Contains(text, "--auth-filter without TLS") {
		t.Errorf("the log contains a token or an error, or lacks the warning about TLS:\n%s", text)
	}
}

// With a prefix, the permission for the API server's own metrics does not permit a scrape.
func TestAuthFilterAsksForPathsBelowThePrefix(t *testing.T) {
	api := reviewingAPI(t, map[string]string{"scraper-token": "/statefleet/metrics", "other-token": "/metrics"})
	p := start(t, api, "--resources=jobs", "--auth-filter", "--auth-filter.path-prefix=/statefleet")
	p.Ready(t)
	for _, address := range []string{p.Metrics, p.Telemetry} {
		for token, want := range map[string]int{"scraper-token": 200, "other-token": 403} {
			if got := p.status(t, "http://"+address+"/metrics", token); got != want {
				t.Errorf("%s, %q: got status %d, want %d", address, token, got, want)
			}
		}
	}
}

func TestAuthFilterOfAnAPIServerThatCannotReview(t *testing.T) {
	_, api := exporter.Cluster(t) // answers 404 to reviews
	p := start(t, api, "--resources=jobs", "--auth-filter")
	p.Ready(t)
	for range 3 {
		if got := p.status(t, "http://"+p.Metrics+"/metrics", "some-token"); got != http.StatusServiceUnavailable {
			t.Errorf("got status %d, want 503", got)
		}
	}
	if text := p.Log.String(); strings.Count(text, "reviews of callers fail") != 1 || strings.Contains(text, "some-token") {
		t.Errorf("want one line about failing reviews, and no token, in the log:\n%s", text)
	}
}

func TestWithoutAuthFilterEverybodyMayRead(t *testing.T) {
	_, api := exporter.Cluster(t)
	p := start(t, api, "--resources=jobs")
	p.Samples(t)
	if status, self := p.Get(t, p.Telemetry, "/metrics"); status != http.StatusOK || strings.Contains(self, "statefleet_auth_requests_total") {
		t.Errorf("got status %d, want 200 and no counter of the filter", status)
	}
	if status, _ := p.Get(t, p.Telemetry, "/debug/pprof/cmdline"); status != http.StatusNotFound {
		t.Errorf("profiles without --telemetry.pprof: got status %d, want 404", status)
	}
}

// writeCertificate writes cert.pem and key.pem for 127.0.0.1 to a folder, and returns a configuration of clients that
// trusts the certificate and presents it.
func writeCertificate(t *testing.T, folder string) *tls.Config {
	t.Helper()
	model := httptest.NewTLSServer(http.NotFoundHandler()) // has a certificate for 127.0.0.1
	defer model.Close()
	certificate := model.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(folder, "cert.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]})))
	writeFile(t, filepath.Join(folder, "key.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
	trusted := x509.NewCertPool()
	trusted.AddCert(model.Certificate())
	return &tls.Config{RootCAs: trusted, Certificates: []tls.Certificate{certificate}}
}

// A caller needs both a client certificate, as the web configuration file requires, and a token, as the filter
// requires.
func TestAuthFilterBehindTLS(t *testing.T) {
	folder := t.TempDir()
	config := writeCertificate(t, folder)
	file := filepath.Join(folder, "web.yml")
	writeFile(t, file, "tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\n  client_auth_type: RequireAnyClientCert\n")
	api := reviewingAPI(t, map[string]string{"scraper-token": "/metrics"})
	p := start(t, api, "--resources=jobs", "--auth-filter", "--web.config.file="+file)
	p.Client.Transport = &http.Transport{TLSClientConfig: config}
	url := "https://" + p.Metrics
	exporter.Eventually(t, "ready", func() bool { return p.status(t, url+"/readyz", "") == http.StatusOK })
	for token, want := range map[string]int{"": 401, "other-token": 401, "scraper-token": 200} {
		if got := p.status(t, url+"/metrics", token); got != want {
			t.Errorf("with a certificate, %q: got status %d, want %d", token, got, want)
		}
	}
	anonymous := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: config.RootCAs}}}
	defer anonymous.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer scraper-token")
	if response, err := anonymous.Do(request); err == nil {
		_ = response.Body.Close()
		t.Errorf("without a certificate: got status %d, want no connection", response.StatusCode)
	}
	if strings.Contains(p.Log.String(), "without TLS") {
		t.Errorf("the log warns about missing TLS:\n%s", p.Log.String())
	}
}

func TestWrongWebConfigurationEndsTheProgram(t *testing.T) {
	folder := t.TempDir()
	writeCertificate(t, folder)
	writeFile(t, filepath.Join(folder, "garbage.pem"), "garbage")
	const pair = "tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\n"
	const password = "basic_auth_users:\n  ali: $2a$04$kCdomzmhrpgXaQcic21oTOCYBjDLqcwk4SwRfGJ9J1I4XBqbEr5f6\n"
	for name, c := range map[string]struct {
		text, want string
		args       []string
	}{
		"wrong certificate": {text: "tls_server_config: {cert_file: garbage.pem, key_file: key.pem}", want: "failed to load X509KeyPair"},
		"absent key":        {text: "tls_server_config: {cert_file: cert.pem, key_file: absent.pem}", want: "key_file"},
		"unreadable key":    {text: "tls_server_config: {cert_file: cert.pem, key_file: .}", want: "key_file"},
		"empty file":        {text: "", want: "empty"},
		"no users":          {text: "basic_auth_users:\n", want: "basic_auth_users: names no user"},
		"versions":          {text: pair + "  min_version: TLS13\n  max_version: TLS12\n", want: "min_version TLS 1.3 is above max_version TLS 1.2"},
		"unknown key":       {text: "basic_auth: {}", want: "basic_auth not found"},
		"two headers":       {text: password, want: "basic_auth_users: excludes --auth-filter", args: []string{"--auth-filter"}},
	} {
		file := filepath.Join(folder, "web.yml")
		writeFile(t, file, c.text)
		args := append([]string{"--apiserver=http://127.0.0.1:9", "--port=0", "--telemetry-port=0", "--web.config.file=" + file}, c.args...)
		err := runProcess(t.Context(), args, io.Discard, nil)
		if text := fmt.Sprint(err); !strings.HasPrefix(text, "--") || !strings.Contains(text, "--web.config.file: "+file) || !strings.Contains(text, c.want) {
			t.Errorf("%s: got the error %v, want %q", name, err, c.want)
		}
	}
}

// A scraper that does not read keeps its slot, because the exposition exceeds the buffers of a connection.
func TestScrapesBeyondMaxRequestsAreRefused(t *testing.T) {
	c := simulator.New(simulator.Options{Seed: 1})
	if err := c.Populate(generator.Scale(2000).Objects()); err != nil {
		t.Fatal(err)
	}
	p := start(t, exporter.ServeAPI(t, c.Handler()), "--resources=pods", "--web.max-requests=1")
	p.Ready(t)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", p.Metrics)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil { // the scrape is in progress
		t.Fatal(err)
	}
	if got := p.status(t, "http://"+p.Metrics+"/metrics", ""); got != http.StatusServiceUnavailable {
		t.Errorf("a second scrape: got status %d, want 503", got)
	}
	_ = conn.Close()
	exporter.Eventually(t, "the slot is free", func() bool { return p.status(t, "http://"+p.Metrics+"/metrics", "") == http.StatusOK })
}
