package attack

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/client-go/util/cert"

	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/benchmarks/simulator/generator"
	"github.com/statefleet/statefleet/benchmarks/widgets"
)

// waitTimeout limits how long statefleet may take to become ready, and to expose a new object.
const waitTimeout = time.Minute

// system is the system under attack: a simulated cluster, and a process that serves its metrics.
type system struct {
	options
	cluster *simulator.Cluster
	api     *api
	fleet   *fleet.Fleet
	replica *fleet.Replica // as the honest Prometheus requests it
	trust   *tls.Config    // TLS configuration of clients; nil without TLS
	dir     string
	closers []func()
}

func newSystem(ctx context.Context, o options, a attack) (s *system, err error) {
	s = &system{options: o}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	if s.cluster, err = generator.NewCluster(o.pods, simulator.Options{Seed: 1}); err != nil {
		return nil, err
	}
	if s.dir, err = os.MkdirTemp("", "statefleet-attack-"); err != nil {
		return nil, err
	}
	s.closers = append(s.closers, func() { _ = os.RemoveAll(s.dir) })
	s.api = newAPI(s.cluster.Handler())
	url, stop, err := fleet.Serve(s.api)
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, stop)
	flags, err := s.flags(a)
	if err != nil {
		return nil, err
	}
	return s, s.start(ctx, a, append([]string{"--apiserver=" + url}, flags...))
}

// flags returns the flags that the attack needs, and creates the files that they name.
func (s *system) flags(a attack) (flags []string, err error) {
	flags = append(flags, a.flags...)
	if a.tokens {
		flags = append(flags, "--auth-filter")
	}
	if a.custom {
		path, err := s.file("widgets.yaml", []byte(widgets.Config))
		if err != nil {
			return nil, err
		}
		flags = append(flags, "--custom-resource-state-config-file="+path)
	}
	if !a.tls {
		return flags, nil
	}
	certificate, key, err := cert.GenerateSelfSignedCertKey(fleet.Loopback, []net.IP{net.ParseIP(fleet.Loopback)}, nil)
	if err != nil {
		return nil, err
	}
	s.trust = &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	s.trust.RootCAs.AppendCertsFromPEM(certificate)
	certificateFile, err := s.file("tls.crt", certificate)
	if err != nil {
		return nil, err
	}
	keyFile, err := s.file("tls.key", key)
	if err != nil {
		return nil, err
	}
	config, err := s.file("web.yaml", fmt.Appendf(nil, "tls_server_config: {cert_file: %s, key_file: %s}\n", certificateFile, keyFile))
	return append(flags, "--web.config.file="+config), err
}

func (s *system) file(name string, content []byte) (string, error) {
	path := filepath.Join(s.dir, name)
	return path, os.WriteFile(path, content, 0o600)
}

// start runs the process and waits until it is ready.
func (s *system) start(ctx context.Context, a attack, flags []string) error {
	command := fleet.On(*s.binary, flags...)
	if a.descriptors > 0 {
		command = append(fleet.Command{"/bin/sh", "-c", fmt.Sprintf(`ulimit -n %d; exec "$0" "$@"`, a.descriptors)}, command...)
	}
	f, err := fleet.StartOne(command)
	if err != nil {
		return err
	}
	s.closers = append(s.closers, f.Stop)
	s.fleet, s.replica = f, f.Replicas[0]
	s.replica.Client, s.replica.Token = s.client(prometheusAddress, scrapeTimeout), honestToken
	if s.trust != nil {
		for _, url := range []*string{&s.replica.URL, &s.replica.Telemetry} {
			*url = strings.Replace(*url, "http://", "https://", 1)
		}
	}
	return f.WaitReady(ctx, waitTimeout)
}

// stop ends everything that was started, in reverse order.
func (s *system) stop() {
	for len(s.closers) > 0 {
		last := len(s.closers) - 1
		s.closers[last]()
		s.closers = s.closers[:last]
	}
}
