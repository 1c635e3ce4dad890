package web

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// put writes a file of a folder.
func put(t *testing.T, folder, name, content string) string {
	t.Helper()
	file := filepath.Join(folder, name)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// certify writes cert.pem and key.pem for 127.0.0.1 to a folder and returns a client that trusts them: those of the standard
// library's test server.
func certify(t *testing.T, folder string) *http.Client {
	t.Helper()
	model := httptest.NewTLSServer(http.NotFoundHandler())
	defer model.Close()
	certificate := model.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	put(t, folder, "cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]})))
	put(t, folder, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
	return model.Client()
}

func TestTLSFromTheConfigurationFile(t *testing.T) {
	dir := t.TempDir()
	client := certify(t, dir)
	file := put(t, dir, "web.yml", "tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\n")
	h, _ := newHandler(t, &fakeExporter{})
	r := start(t, Server{Handler: h, Config: runConfig(t, file), Timeouts: DefaultTimeouts()}, 2)
	for _, address := range r.addresses {
		status, text, err := fetch(t, client, "https://"+address+"/metrics")
		if err != nil || status != http.StatusOK || !strings.Contains(text, "kube_pod_info") {
			t.Errorf("%s: %d, %v", address, status, err)
		}
		if _, text, _ := r.get(t, address, "/metrics"); strings.Contains(text, "kube_pod_info") {
			t.Errorf("%s: served without TLS", address)
		}
	}
	client.CloseIdleConnections()
	r.stop()
	if err := r.wait(t); err != nil {
		t.Error(err)
	}
}

// serveTLS serves on one address with what certify wrote to the folder, and further lines of the configuration file.
func serveTLS(t *testing.T, dir, further string) *running {
	t.Helper()
	file := put(t, dir, "web.yml", serverTLS+further)
	h, _ := newHandler(t, &fakeExporter{})
	r := start(t, Server{Handler: h, Config: runConfig(t, file), Timeouts: DefaultTimeouts()}, 1)
	t.Cleanup(func() {
		r.stop()
		if err := r.wait(t); err != nil {
			t.Error(err)
		}
	})
	return r
}

func TestIncompatibleTLSVersions(t *testing.T) {
	dir := t.TempDir()
	client := certify(t, dir)
	trusted := client.Transport.(*http.Transport)
	defer client.CloseIdleConnections()
	for _, c := range []struct {
		server   string
		min, max uint16 // of the client
		meet     bool
	}{
		{"  min_version: TLS13\n", 0, tls.VersionTLS12, false},
		{"  max_version: TLS12\n", tls.VersionTLS13, 0, false},
		{"  min_version: TLS13\n", 0, 0, true},
		{"  max_version: TLS12\n", 0, 0, true},
	} {
		r := serveTLS(t, dir, c.server)
		config := trusted.TLSClientConfig.Clone()
		config.MinVersion, config.MaxVersion = c.min, c.max
		mine := &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}, Timeout: patience}
		status, text, err := fetch(t, mine, "https://"+r.addresses[0]+"/metrics")
		if c.meet != (err == nil && status == http.StatusOK) || !c.meet && text != "" {
			t.Errorf("server%q, client %x to %x: status %d, %q, %v", c.server, c.min, c.max, status, text, err)
		}
		if !c.meet && err != nil && !strings.Contains(err.Error(), "protocol version") {
			t.Errorf("server%q: the client is told %v, nothing of versions", c.server, err)
		}
	}
}

// A certificate that was renewed is used by new connections soon.
func TestNewConnectionsGetTheRenewedCertificate(t *testing.T) {
	dir := t.TempDir()
	certify(t, dir)
	r := serveTLS(t, dir, "")
	before := presented(t, r.addresses[0])
	renew(t, dir, 4711)
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		after := presented(t, r.addresses[0])
		if after.SerialNumber.Int64() == 4711 {
			return
		}
		if before.SerialNumber.Cmp(after.SerialNumber) != 0 || time.Now().After(deadline) {
			t.Fatalf("the certificate has number %s, had %s", after.SerialNumber, before.SerialNumber)
		}
	}
}

// presented is the certificate that a server shows, whatever it is.
func presented(t *testing.T, address string) *x509.Certificate {
	t.Helper()
	conn, err := (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}).DialContext(t.Context(), "tcp", address) // it is looked at, not trusted
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0]
}

// renew writes a certificate with a serial number, and its key, over those of a folder, and returns both.
func renew(t *testing.T, dir string, serial int64) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	model := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	certificate, err := x509.CreateCertificate(rand.Reader, model, model, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, "cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})))
	put(t, dir, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	return tls.Certificate{Certificate: [][]byte{certificate}, PrivateKey: key}
}

// Who has no certificate of the authorities in the file is not talked to.
func TestClientCertificatesAreVerified(t *testing.T) {
	dir, authority := t.TempDir(), t.TempDir()
	client := certify(t, dir)
	known, stranger := renew(t, authority, 1), renew(t, t.TempDir(), 2)
	r := serveTLS(t, dir, "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: "+filepath.Join(authority, "cert.pem")+"\n")
	for name, c := range map[string]struct {
		shown []tls.Certificate
		admit bool
	}{"known": {[]tls.Certificate{known}, true}, "stranger": {[]tls.Certificate{stranger}, false}, "none": {nil, false}} {
		config := client.Transport.(*http.Transport).TLSClientConfig.Clone()
		config.Certificates = c.shown
		mine := &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}, Timeout: patience}
		if status, text, err := fetch(t, mine, "https://"+r.addresses[0]+"/metrics"); c.admit != (status == http.StatusOK) || c.admit != (text != "") {
			t.Errorf("%s: status %d, %d bytes, %v", name, status, len(text), err)
		}
	}
}

func TestHTTP2IsOnByDefault(t *testing.T) {
	dir := t.TempDir()
	client := certify(t, dir)
	config := client.Transport.(*http.Transport).TLSClientConfig
	for further, want := range map[string]int{"": 2, "http_server_config: {http2: false}\n": 1} {
		r := serveTLS(t, dir, further)
		mine := &http.Client{Transport: &http.Transport{TLSClientConfig: config.Clone(), ForceAttemptHTTP2: true}, Timeout: patience}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+r.addresses[0]+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := mine.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.ProtoMajor != want || answer.StatusCode != http.StatusOK {
			t.Errorf("%q: HTTP/%d, status %d, want HTTP/%d", further, answer.ProtoMajor, answer.StatusCode, want)
		}
		mine.CloseIdleConnections()
	}
}
