package web

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	toolkit "github.com/prometheus/exporter-toolkit/web"
	"go.yaml.in/yaml/v3"
)

// pollInterval is the time between two polls of the web configuration file.
const pollInterval = time.Second

// ConfigFile is a web configuration file with TLS and basic authentication, as all Prometheus
// exporters have it. [ConfigFile.Run] loads it when it changes. Requests and connections use the last
// valid configuration and read no file, because a file that is broken for a moment must not fail a
// probe, which would restart the process.
type ConfigFile struct {
	name       string
	authFilter bool
	load       func(name string) (*config, error)
	log        *slog.Logger

	valid   atomic.Pointer[config]
	refused atomic.Pointer[error] // why the current content of the file is refused; nil while it is valid

	// Fingerprints of the files when they were loaded, and when they were last polled. LoadConfigFile and Run use them.
	loaded, polled [sha256.Size]byte
}

// LoadConfigFile loads a file and the files that it names. It rejects what the exporter toolkit
// accepts although no user wants it: an empty file or list of users, which would admit every client,
// and TLS that admits no client. With authFilter, it rejects users, too: the Authorization header of a
// request then holds a token. It registers a metric with r.
func LoadConfigFile(name string, authFilter bool, r prometheus.Registerer, log *slog.Logger) (*ConfigFile, error) {
	f := &ConfigFile{name: name, authFilter: authFilter, load: loadConfig, log: log}
	if err := f.reload(); err != nil {
		return nil, err
	}
	return f, r.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "statefleet_web_config_last_reload_successful",
		Help: "Whether the last read of the web configuration file was successful, 1 or 0; after a failure the previous configuration stays in use.",
	}, func() float64 {
		if f.Refused() != nil {
			return 0
		}
		return 1
	}))
}

// HasTLS reports whether the file asks for TLS. It stays the same when the file changes.
func (f *ConfigFile) HasTLS() bool { return f.valid.Load().tls != nil }

// Refused returns why the current content of the file is not in use, or nil if it is. It is safe for
// concurrent use.
func (f *ConfigFile) Refused() error {
	if err := f.refused.Load(); err != nil {
		return *err
	}
	return nil
}

// reload puts the file in use if it is valid. It loads it before and after taking the fingerprint, so
// that the next poll notices a change in between.
func (f *ConfigFile) reload() error {
	c, err := f.load(f.name)
	if err != nil {
		return err
	}
	sum := fingerprint(c.files)
	if c, err = f.load(f.name); err != nil {
		return err
	}
	if err := f.check(c); err != nil {
		return fmt.Errorf("%s: %w", f.name, err)
	}
	f.valid.Store(c)
	f.loaded = sum
	return nil
}

// Run polls the file until ctx ends.
func (f *ConfigFile) Run(ctx context.Context) {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f.poll()
		}
	}
}

// poll loads the file if it, or a file that it names, has changed since it was loaded. It waits until
// two polls find the same content, because a file may be read while it is written. It loads a refused
// file each time, because that may name files that do not exist yet and are not in use.
func (f *ConfigFile) poll() {
	before, files := f.polled, f.valid.Load().files
	f.polled = fingerprint(files)
	refused := f.Refused()
	if f.polled != before || f.polled == f.loaded && refused == nil {
		return
	}
	if err := f.reload(); err != nil {
		if f.polled != f.loaded || refused.Error() != err.Error() {
			f.log.Error("web configuration file refused; the previous configuration stays in use", "err", err)
		}
		f.loaded = f.polled
		f.refused.Store(&err)
		return
	}
	f.refused.Store(nil)
	f.log.Info("web configuration file reloaded")
}

var (
	errUsersAndTokens = errors.New("basic_auth_users: excludes --auth-filter: the Authorization header of a request holds either a token or a password")
	errUsersRemoved   = errors.New("basic_auth_users: was removed, which would admit every client; restart to serve without passwords")
	errTLSChanged     = errors.New("tls_server_config, http2: TLS and HTTP/2 cannot be switched on or off without a restart")
)

// check returns an error if c cannot be used, or cannot replace the configuration in use.
func (f *ConfigFile) check(c *config) error {
	before := f.valid.Load()
	switch {
	case f.authFilter && len(c.Users) > 0:
		return errUsersAndTokens
	case before == nil:
		return nil
	case len(c.Users) == 0 && len(before.Users) > 0:
		return errUsersRemoved
	case (before.tls == nil) != (c.tls == nil), c.tls != nil && before.HTTPConfig.HTTP2 != c.HTTPConfig.HTTP2:
		return errTLSChanged
	}
	return nil
}

// tlsFor implements tls.Config.GetConfigForClient: new connections get a renewed certificate.
func (f *ConfigFile) tlsFor(*tls.ClientHelloInfo) (*tls.Config, error) {
	return f.valid.Load().tls, nil
}

// fingerprint identifies the content of files, and which of them cannot be read.
func fingerprint(names []string) [sha256.Size]byte {
	var all []byte
	for _, name := range names {
		content, err := os.ReadFile(name)
		all = fmt.Appendf(all, "%t %d\n%s", err == nil, len(content), content)
	}
	return sha256.Sum256(all)
}

// config is the content of a web configuration file and of the files that it names. It is immutable.
type config struct {
	toolkit.Config `yaml:",inline"`

	tls   *tls.Config // nil: no TLS
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
		return nil, errors.New("is empty; write {} for neither TLS nor authentication")
	}
	c := &config{files: []string{file}}
	c.TLSConfig.MinVersion, c.TLSConfig.MaxVersion = tls.VersionTLS12, tls.VersionTLS13 // the toolkit's defaults
	c.HTTPConfig.HTTP2 = true
	if err := yaml.Unmarshal(content, c); err != nil {
		return nil, err
	}
	if _, ok := keys["basic_auth_users"]; ok && len(c.Users) == 0 {
		return nil, errors.New("basic_auth_users: names no user, which would admit every client")
	}
	c.TLSConfig.SetDirectory(filepath.Dir(file))
	return c, c.loadTLS()
}

// loadTLS checks the TLS part and reads the certificates, so that connections read no file.
func (c *config) loadTLS() error {
	t := &c.TLSConfig
	if t.MinVersion > t.MaxVersion {
		return fmt.Errorf("tls_server_config: min_version %s is above max_version %s: no client could connect",
			tls.VersionName(uint16(t.MinVersion)), tls.VersionName(uint16(t.MaxVersion)))
	}
	if len(t.ClientAllowedSans) > 0 && (t.ClientAuth == "" || t.ClientAuth == "NoClientCert") {
		return errors.New("tls_server_config: client_allowed_sans: needs client_auth_type: RequireAndVerifyClientCert; " +
			"without certificates of clients, every client would be admitted")
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
	if made.ClientCAs != nil && made.ClientCAs.Equal(x509.NewCertPool()) {
		return errors.New("tls_server_config: client_ca, client_ca_file: contains no certificate")
	}
	certificate, err := made.GetCertificate(nil) // reads the files
	if err != nil {
		return fmt.Errorf("tls_server_config: %w", err)
	}
	made.GetCertificate, made.Certificates = nil, []tls.Certificate{*certificate}
	// A resumed session does not repeat the check of client_allowed_sans, which may have changed since it began.
	made.SessionTicketsDisabled = made.VerifyPeerCertificate != nil
	made.NextProtos = []string{"http/1.1"}
	if c.HTTPConfig.HTTP2 {
		made.NextProtos = []string{"h2", "http/1.1"}
	}
	c.tls = made
	return nil
}
