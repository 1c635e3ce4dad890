package web

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	toolkit "github.com/prometheus/exporter-toolkit/web"
	"go.yaml.in/yaml/v3"
)

// ValidateConfig reads a web configuration file and the files that it refers to; empty stands for no file, which is valid.
// passwords tells whether it asks for basic authentication. What the toolkit would accept and nobody can have meant is an
// error: a file or a list of users that is empty, which would let everybody in, and TLS that lets nobody in.
func ValidateConfig(file string) (passwords bool, err error) {
	if file == "" {
		return false, nil
	}
	if err := toolkit.Validate(file); err != nil {
		return false, fmt.Errorf("%s: %w", file, err)
	}
	c, err := readConfig(file)
	if err != nil {
		return false, fmt.Errorf("%s: %w", file, err)
	}
	if err := c.check(filepath.Dir(file)); err != nil {
		return false, fmt.Errorf("%s: %w", file, err)
	}
	return len(c.Users) > 0, nil
}

// config is what is checked of a web configuration file beyond what the toolkit does.
type config struct {
	TLS   tlsConfig         `yaml:"tls_server_config"`
	Users map[string]string `yaml:"basic_auth_users"`

	namesUsers bool // there is the key, if nobody in it
}

type tlsConfig struct {
	Min           toolkit.TLSVersion `yaml:"min_version"`
	Max           toolkit.TLSVersion `yaml:"max_version"`
	ClientCAs     string             `yaml:"client_ca_file"`
	ClientCAsText string             `yaml:"client_ca"`
}

func readConfig(file string) (config, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return config{}, err
	}
	var keys map[string]yaml.Node
	if err := yaml.Unmarshal(content, &keys); err != nil {
		return config{}, err
	}
	if keys == nil {
		return config{}, errors.New("empty; write {} for neither TLS nor authentication")
	}
	c := config{TLS: tlsConfig{Min: tls.VersionTLS12, Max: tls.VersionTLS13}} // the toolkit's defaults
	_, c.namesUsers = keys["basic_auth_users"]
	return c, yaml.Unmarshal(content, &c)
}

func (c config) check(dir string) error {
	if c.namesUsers && len(c.Users) == 0 {
		return errors.New("basic_auth_users: names nobody, which would let everybody in")
	}
	if c.TLS.Min > c.TLS.Max {
		return fmt.Errorf("tls_server_config: min_version %s is above max_version %s: no client could connect",
			tls.VersionName(uint16(c.TLS.Min)), tls.VersionName(uint16(c.TLS.Max)))
	}
	authorities := []byte(c.TLS.ClientCAsText)
	if name := c.TLS.ClientCAs; name != "" {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		var err error
		if authorities, err = os.ReadFile(name); err != nil {
			return fmt.Errorf("tls_server_config: client_ca_file: %w", err)
		}
	}
	asked := c.TLS.ClientCAs != "" || c.TLS.ClientCAsText != ""
	if asked && !x509.NewCertPool().AppendCertsFromPEM(authorities) {
		return errors.New("tls_server_config: client_ca, client_ca_file: there is no certificate in it")
	}
	return nil
}

// insist returns a handler that answers 503 once the file names no users any more. It is for a file that did when it was
// validated: the toolkit reads it for each request, and one that was truncated would let everybody in.
func insist(next http.Handler, file string) http.Handler {
	gone := errors.New("the users of the web configuration file are gone")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := readConfig(file); err != nil || len(c.Users) == 0 {
			notReady(w, gone)
			return
		}
		next.ServeHTTP(w, r)
	})
}
