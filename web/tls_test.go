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
	if passwords, err := ValidateConfig(file); err != nil || passwords {
		t.Fatal(passwords, err)
	}
	h, _ := newHandler(t, &fakeExporter{})
	r := start(t, Server{Handler: h, ConfigFile: file, Timeouts: DefaultTimeouts()}, 2)
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
