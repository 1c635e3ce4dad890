package web

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	toolkit "github.com/prometheus/exporter-toolkit/web"
	"go.yaml.in/yaml/v3"
)

// ValidateConfig reads a web configuration file and the files that it refers to; empty stands for no file, which is valid.
// passwords tells whether it asks for basic authentication. What the toolkit would accept and no user can have meant is an
// error: a file or a list of users that is empty, which would admit every client, and TLS that admits none.
func ValidateConfig(file string) (passwords bool, err error) {
	if file == "" {
		return false, nil
	}
	c, err := loadConfig(file)
	if err != nil {
		return false, err
	}
	return len(c.Users) > 0, nil
}

// config is a web configuration file with what it refers to. It is immutable.
type config struct {
	toolkit.Config `yaml:",inline"`

	tls   *tls.Config // nil: without TLS
	files []string    // the file itself and those that it names
}

// loadConfig reads and checks a web configuration file. Its errors name the file.
func loadConfig(file string) (*config, error) {
	if err := toolkit.Validate(file); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	c, err := readConfig(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return c, nil
}

func readConfig(file string) (*config, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var keys map[string]yaml.Node
	if err := yaml.Unmarshal(content, &keys); err != nil {
		return nil, err
	}
	if keys == nil {
		return nil, errors.New("empty; write {} for neither TLS nor authentication")
	}
	c := &config{files: []string{file}}
	c.TLSConfig.MinVersion, c.TLSConfig.MaxVersion = tls.VersionTLS12, tls.VersionTLS13 // the toolkit's defaults
	c.HTTPConfig.HTTP2 = true
	if err := yaml.Unmarshal(content, c); err != nil {
		return nil, err
	}
	if _, names := keys["basic_auth_users"]; names && len(c.Users) == 0 {
		return nil, errors.New("basic_auth_users: names no user, which would admit every client")
	}
	c.TLSConfig.SetDirectory(filepath.Dir(file))
	return c, c.loadTLS()
}

// loadTLS checks the part about TLS and reads the certificates, so that a connection needs no file.
func (c *config) loadTLS() error {
	t := &c.TLSConfig
	if t.MinVersion > t.MaxVersion {
		return fmt.Errorf("tls_server_config: min_version %s is above max_version %s: no client could connect",
			tls.VersionName(uint16(t.MinVersion)), tls.VersionName(uint16(t.MaxVersion)))
	}
	authorities := []byte(t.ClientCAsText)
	if t.ClientCAs != "" {
		var err error
		if authorities, err = os.ReadFile(t.ClientCAs); err != nil {
			return fmt.Errorf("tls_server_config: client_ca_file: %w", err)
		}
	}
	asked := t.ClientCAs != "" || t.ClientCAsText != ""
	if asked && !x509.NewCertPool().AppendCertsFromPEM(authorities) {
		return errors.New("tls_server_config: client_ca, client_ca_file: there is no certificate in it")
	}
	if !t.IsEnabled() {
		return nil
	}
	for _, name := range []string{t.TLSCertPath, t.TLSKeyPath, t.ClientCAs} {
		if name != "" {
			c.files = append(c.files, name)
		}
	}
	made, err := toolkit.ConfigToTLSConfig(t)
	if err != nil {
		return fmt.Errorf("tls_server_config: %w", err)
	}
	certificate, err := made.GetCertificate(nil) // reads the files
	if err != nil {
		return fmt.Errorf("tls_server_config: %w", err)
	}
	made.GetCertificate, made.Certificates = nil, []tls.Certificate{*certificate}
	made.NextProtos = []string{"http/1.1"}
	if c.HTTPConfig.HTTP2 {
		made.NextProtos = []string{"h2", "http/1.1"}
	}
	c.tls = made
	return nil
}
