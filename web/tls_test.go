package web

import (
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTLSFromTheConfigurationFile(t *testing.T) {
	// The test server of the standard library has a certificate for 127.0.0.1, and a client that trusts it.
	model := httptest.NewTLSServer(http.NotFoundHandler())
	defer model.Close()
	certificate := model.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, content := range map[string][]byte{
		"cert.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]}),
		"key.pem":  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
		"web.yml":  []byte("tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\n"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h, _ := newHandler(t, &fakeExporter{})
	r := start(t, Server{Handler: h, ConfigFile: filepath.Join(dir, "web.yml"), Timeouts: DefaultTimeouts()}, 2)
	client := model.Client()
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
