package web

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"log/slog"
	"os"
	"sync/atomic"
	"time"
)

// lookEvery is how often the web configuration file is looked at. A change is served after two looks.
const lookEvery = time.Second

// configFile follows a web configuration file. Requests and connections use the configuration that was valid last and
// read no file: a file that is broken or missing for a moment must not fail a probe, which would restart the process.
type configFile struct {
	name      string
	passwords bool // it must name users, always
	load      func(name string) (*config, error)
	log       *slog.Logger
	loaded    func(ok bool) // called after each reload; the file is in use or was refused

	valid atomic.Pointer[config]

	// Of the goroutine of follow: fingerprints of the files as they were loaded, and as they were at the last look.
	inUse, seen [sha256.Size]byte
}

// newConfigFile loads the file for the first time.
func newConfigFile(name string, passwords bool, log *slog.Logger) (*configFile, error) {
	f := &configFile{name: name, passwords: passwords, load: loadConfig, log: log, loaded: func(bool) {}}
	if err := f.reload(); err != nil {
		return nil, err
	}
	return f, nil
}

// reload puts the file as it is now in use, if it is valid. It reads the file before and after the fingerprint: the next
// look finds a change that comes in between.
func (f *configFile) reload() error {
	c, err := f.load(f.name)
	if err != nil {
		return err
	}
	sum := fingerprint(c.files)
	if c, err = f.load(f.name); err != nil {
		return err
	}
	if err := f.admits(c); err != nil {
		return err
	}
	f.valid.Store(c)
	f.inUse = sum
	return nil
}

// follow looks at the file until ctx ends.
func (f *configFile) follow(ctx context.Context) {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
			f.look()
		}
	}
}

// look loads the file when it, or a file that it names, has changed since it was loaded. The files must be the same as at
// the look before, so that a file is not read while it is being written.
func (f *configFile) look() {
	before, files := f.seen, f.valid.Load().files
	f.seen = fingerprint(files)
	if f.seen != before || f.seen == f.inUse {
		return
	}
	if err := f.reload(); err != nil {
		f.inUse = f.seen // not again before it changes again
		f.loaded(false)
		f.log.Error("the web configuration file is refused; the configuration before it stays in use", "err", err)
		return
	}
	f.loaded(true)
	f.log.Info("the web configuration file has changed and is in use")
}

var (
	errUsersGone = errors.New("basic_auth_users: there are no users any more, which would let everybody in; " +
		"restart to do without passwords")
	errTLSChanges = errors.New("tls_server_config, http2: TLS and HTTP/2 can be switched on or off by a restart only")
)

// admits returns an error when a configuration cannot take the place of the one in use.
func (f *configFile) admits(c *config) error {
	before := f.valid.Load()
	switch {
	case len(c.Users) == 0 && (f.passwords || before != nil && len(before.Users) > 0):
		return errUsersGone
	case before == nil:
		return nil
	case (before.tls == nil) != (c.tls == nil), c.tls != nil && before.HTTPConfig.HTTP2 != c.HTTPConfig.HTTP2:
		return errTLSChanges
	}
	return nil
}

// tlsFor implements tls.Config.GetConfigForClient: the next connection gets a renewed certificate.
func (f *configFile) tlsFor(*tls.ClientHelloInfo) (*tls.Config, error) {
	return f.valid.Load().tls, nil
}

// fingerprint stands for the content of files, and for which of them cannot be read.
func fingerprint(names []string) (sum [sha256.Size]byte) {
	var sums []byte
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			sums = append(sums, '-')
			continue
		}
		one := sha256.Sum256(content)
		sums = append(append(sums, '+'), one[:]...)
	}
	return sha256.Sum256(sums)
}
