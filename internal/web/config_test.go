package web

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"os"
	"strings"
	"testing"
)

const (
	serverTLS = "tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\n"
	clientTLS = serverTLS + "  client_auth_type: RequireAndVerifyClientCert\n"
)

func TestValidWebConfigurations(t *testing.T) {
	dir := t.TempDir()
	writeCertificate(t, dir)
	for text, want := range map[string]bool{
		"{}":                                 false,
		"rate_limit: {}":                     false,
		webConfig:                            true,
		serverTLS:                            false,
		clientTLS:                            false, // with the system's certificate authorities
		serverTLS + webConfig:                true,
		serverTLS + "  min_version: TLS13\n": false,
		serverTLS + "  max_version: TLS12\n": false,
		serverTLS + "  min_version: TLS10\n  max_version: TLS11\n": false,
		clientTLS + "  client_ca_file: cert.pem\n":                 false,
		clientTLS + "  client_allowed_sans: [a]\n":                 false,
		"http_server_config: {http2: false}\n" + serverTLS:         false,
	} {
		c, err := loadConfig(writeFile(t, dir, "web.yml", text))
		if err != nil || len(c.Users) > 0 != want {
			t.Errorf("%q: got %+v, error %v; want users: %v", text, c, err, want)
		}
	}
}

// Errors name the file and the fault, and show no secret.
func TestInvalidWebConfigurationsAreRejected(t *testing.T) {
	dir := t.TempDir()
	writeCertificate(t, dir)
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	other, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, dir, "other.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: other})))
	writeFile(t, dir, "garbage.pem", "hunter2")
	writeFile(t, dir, "nothing.pem", "")
	if err := os.Mkdir(dir+"/folder", 0o700); err != nil {
		t.Fatal(err)
	}
	with := func(certificate, key string) string {
		return "tls_server_config:\n  cert_file: " + certificate + "\n  key_file: " + key + "\n"
	}
	for text, want := range map[string]string{
		"":                                           "empty",
		"# later\n":                                  "empty",
		"basic_auth_users:\n":                        "basic_auth_users: names no user",
		"basic_auth_users: {}\n":                     "basic_auth_users: names no user",
		"basic_auth_users: {ali: hunter2}\n":         "hashedSecret",
		"basic_auth_user: {ali: hunter2}\n":          "basic_auth_user not found",
		with("cert.pem", "other.pem"):                "private key type does not match",
		with("garbage.pem", "key.pem"):               "failed to find any PEM data in certificate",
		with("cert.pem", "garbage.pem"):              "failed to find any PEM data in key",
		with("cert.pem", "absent.pem"):               "key_file",
		with("cert.pem", "folder"):                   "key_file",
		with("folder", "key.pem"):                    "cert_file",
		"tls_server_config: {cert_file: cert.pem}\n": "missing one of key or key_file",
		serverTLS + "  min_version: TLS13\n  max_version: TLS12\n":                   "min_version TLS 1.3 is above max_version TLS 1.2",
		serverTLS + "  max_version: TLS11\n":                                         "min_version TLS 1.2 is above max_version TLS 1.1",
		serverTLS + "  min_version: TLS14\n":                                         "unknown TLS version",
		clientTLS + "  client_ca_file: garbage.pem\n":                                "contains no certificate",
		clientTLS + "  client_ca_file: nothing.pem\n":                                "contains no certificate",
		clientTLS + "  client_ca_file: absent.pem\n":                                 "absent.pem",
		serverTLS + "  client_ca_file: cert.pem\n":                                   "without a Client Auth Policy",
		serverTLS + "  client_allowed_sans: [a]\n":                                   "client_allowed_sans: needs client_auth_type",
		"tls_server_config: {client_allowed_sans: [a]}\n":                            "client_allowed_sans: needs client_auth_type",
		serverTLS + "  client_auth_type: NoClientCert\n  client_allowed_sans: [a]\n": "every client would be admitted",
		serverTLS + "  client_auth_type: Sometimes\n  client_ca_file: cert.pem":      "Sometimes",
	} {
		file := writeFile(t, dir, "web.yml", text)
		_, err := loadConfig(file)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), file) {
			t.Errorf("%q: got the error %v, want %q and the name of the file", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: the error shows a secret: %v", text, err)
		}
	}
}
