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

// writeFile writes a file in a folder and returns its path.
func writeFile(t *testing.T, folder, name, content string) string {
	t.Helper()
	file := filepath.Join(folder, name)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// writeCertificate writes cert.pem and key.pem for 127.0.0.1 to a folder, and returns a client that trusts them. They
// are those of the standard library's test server.
func writeCertificate(t *testing.T, folder string) *http.Client {
	t.Helper()
	model := httptest.NewTLSServer(http.NotFoundHandler())
	defer model.Close()
	certificate := model.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, folder, "cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]})))
	writeFile(t, folder, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
	return model.Client()
}

func TestTLSFromTheConfigurationFile(t *testing.T) {
	dir := t.TempDir()
	client := writeCertificate(t, dir)
	file := writeFile(t, dir, "web.yml", "tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\n")
	h, _ := newHandler(t, &fakeExporter{})
	r := start(t, Server{Handler: h, Config: runConfig(t, file), Timeouts: DefaultTimeouts()}, 2)
	for _, address := range r.addresses {
		status, text, err := fetch(t, client, "https://"+address+"/metrics")
		if err != nil || status != http.StatusOK || !strings.Contains(text, "kube_pod_info") {
			t.Errorf("%s: got status %d, error %v; want the exposition", address, status, err)
		}
		if _, text, _ := r.get(t, address, "/metrics"); strings.Contains(text, "kube_pod_info") {
			t.Errorf("%s: got the exposition without TLS", address)
		}
	}
	client.CloseIdleConnections()
	r.stop()
	if err := r.wait(t); err != nil {
		t.Error(err)
	}
}

// serveTLS starts a server with the certificate that writeCertificate wrote to the folder, and with further lines of
// the configuration file.
func serveTLS(t *testing.T, dir, further string) *running {
	t.Helper()
	file := writeFile(t, dir, "web.yml", serverTLS+further)
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
	client := writeCertificate(t, dir)
	trusted := client.Transport.(*http.Transport)
	defer client.CloseIdleConnections()
	for _, c := range []struct {
		server   string
		min, max uint16 // of the client
		ok       bool
	}{
		{"  min_version: TLS13\n", 0, tls.VersionTLS12, false},
		{"  max_version: TLS12\n", tls.VersionTLS13, 0, false},
		{"  min_version: TLS13\n", 0, 0, true},
		{"  max_version: TLS12\n", 0, 0, true},
	} {
		r := serveTLS(t, dir, c.server)
		config := trusted.TLSClientConfig.Clone()
		config.MinVersion, config.MaxVersion = c.min, c.max
		mine := &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}, Timeout: testTimeout}
		status, text, err := fetch(t, mine, "https://"+r.addresses[0]+"/metrics")
		if c.ok != (err == nil && status == http.StatusOK) || !c.ok && text != "" {
			t.Errorf("server%q, client %x to %x: got status %d, %q, error %v; want success: %v",
				c.server, c.min, c.max, status, text, err, c.ok)
		}
		if !c.ok && err != nil && !strings.Contains(err.Error(), "protocol version") {
			t.Errorf("server%q: got the error %v, want one about the protocol version", c.server, err)
		}
	}
}

// New connections soon use a renewed certificate.
func TestNewConnectionsGetTheRenewedCertificate(t *testing.T) {
	dir := t.TempDir()
	writeCertificate(t, dir)
	r := serveTLS(t, dir, "")
	before := serverCertificate(t, r.addresses[0])
	renew(t, dir, 4711)
	for deadline := time.Now().Add(testTimeout); ; time.Sleep(10 * time.Millisecond) {
		after := serverCertificate(t, r.addresses[0])
		if after.SerialNumber.Int64() == 4711 {
			return
		}
		if before.SerialNumber.Cmp(after.SerialNumber) != 0 || time.Now().After(deadline) {
			t.Fatalf("got the certificate with serial number %s, want 4711; the previous one is %s",
				after.SerialNumber, before.SerialNumber)
		}
	}
}

// serverCertificate returns the certificate that a server presents, without verifying it.
func serverCertificate(t *testing.T, address string) *x509.Certificate {
	t.Helper()
	conn, err := (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}).DialContext(t.Context(), "tcp", address) // the test only reads it
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0]
}

// renew replaces cert.pem and key.pem in a folder by a new certificate with a serial number, and returns it.
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
	writeFile(t, dir, "cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})))
	writeFile(t, dir, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	return tls.Certificate{Certificate: [][]byte{certificate}, PrivateKey: key}
}

// The server rejects clients without a certificate of the authorities in the file.
func TestClientCertificatesAreVerified(t *testing.T) {
	dir, authority := t.TempDir(), t.TempDir()
	client := writeCertificate(t, dir)
	known, stranger := renew(t, authority, 1), renew(t, t.TempDir(), 2)
	r := serveTLS(t, dir, "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: "+filepath.Join(authority, "cert.pem")+"\n")
	for name, c := range map[string]struct {
		certs []tls.Certificate
		admit bool
	}{"known": {[]tls.Certificate{known}, true}, "stranger": {[]tls.Certificate{stranger}, false}, "none": {nil, false}} {
		config := client.Transport.(*http.Transport).TLSClientConfig.Clone()
		config.Certificates = c.certs
		mine := &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}, Timeout: testTimeout}
		if status, text, err := fetch(t, mine, "https://"+r.addresses[0]+"/metrics"); c.admit != (status == http.StatusOK) || c.admit != (text != "") {
			t.Errorf("%s: got status %d, %d bytes, error %v; want admitted: %v", name, status, len(text), err, c.admit)
		}
	}
}

// A client that client_allowed_sans no longer names cannot connect with the session of an earlier connection either.
func TestSessionsOfRemovedClientsAreNotResumed(t *testing.T) {
	dir, authority := t.TempDir(), t.TempDir()
	client := writeCertificate(t, dir)
	known := renew(t, authority, 1)
	further := "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: " + filepath.Join(authority, "cert.pem") + "\n  client_allowed_sans: "
	r := serveTLS(t, dir, further+"[127.0.0.1]\n")
	admitted := func(sessions tls.ClientSessionCache) bool {
		config := client.Transport.(*http.Transport).TLSClientConfig.Clone()
		config.Certificates, config.ClientSessionCache = []tls.Certificate{known}, sessions
		mine := &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}, Timeout: testTimeout}
		status, _, _ := fetch(t, mine, "https://"+r.addresses[0]+"/metrics")
		return status == http.StatusOK
	}
	sessions := tls.NewLRUClientSessionCache(1)
	if !admitted(sessions) {
		t.Fatal("the client was not admitted at first")
	}
	writeFile(t, dir, "web.yml", serverTLS+further+"[192.0.2.1]\n")
	for deadline := time.Now().Add(testTimeout); admitted(nil); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the client is admitted although client_allowed_sans no longer names it")
		}
	}
	if admitted(sessions) {
		t.Error("the client was admitted with a session from before the change")
	}
}

func TestHTTP2IsOnByDefault(t *testing.T) {
	dir := t.TempDir()
	client := writeCertificate(t, dir)
	config := client.Transport.(*http.Transport).TLSClientConfig
	for further, want := range map[string]int{"": 2, "http_server_config: {http2: false}\n": 1} {
		r := serveTLS(t, dir, further)
		mine := &http.Client{Transport: &http.Transport{TLSClientConfig: config.Clone(), ForceAttemptHTTP2: true}, Timeout: testTimeout}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+r.addresses[0]+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := mine.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.ProtoMajor != want || response.StatusCode != http.StatusOK {
			t.Errorf("%q: got HTTP/%d, status %d; want HTTP/%d, status 200",
				further, response.ProtoMajor, response.StatusCode, want)
		}
		mine.CloseIdleConnections()
	}
}
