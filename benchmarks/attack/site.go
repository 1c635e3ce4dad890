package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/benchmarks/simulator/generator"
	"github.com/statefleet/statefleet/benchmarks/widgets"
)

// patience is how long statefleet may take to become ready, and to show what is new.
const patience = time.Minute

// site is a simulated cluster, and a process that serves its metrics.
type site struct {
	options
	cluster *simulator.Cluster
	api     *api
	shard   *fleet.Shard
	trust   *tls.Config // what clients need; nil without TLS
	dir     string
	closers []func()
}

func newSite(ctx context.Context, o options, a attack) (s *site, err error) {
	s = &site{options: o, cluster: simulator.New(simulator.Options{Seed: 1})}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	spec := generator.Scale(o.pods)
	spec.Seed = 1
	if err := s.cluster.Populate(spec.Objects()); err != nil {
		return nil, err
	}
	if s.dir, err = os.MkdirTemp("", "statefleet-attack-"); err != nil {
		return nil, err
	}
	s.closers = append(s.closers, func() { _ = os.RemoveAll(s.dir) })
	url, err := s.serveAPI(ctx)
	if err != nil {
		return nil, err
	}
	flags, err := s.flags(a)
	if err != nil {
		return nil, err
	}
	return s, s.start(ctx, a, append([]string{"--apiserver=" + url}, flags...))
}

// serveAPI starts the API server of the simulated cluster.
func (s *site) serveAPI(ctx context.Context) (url string, err error) {
	s.api = newAPI(s.cluster.Handler())
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := &http.Server{Handler: s.api, ReadHeaderTimeout: time.Minute}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener) // ends when it is closed
	}()
	s.closers = append(s.closers, func() {
		_ = server.Close()
		<-ended
	})
	return "http://" + listener.Addr().String(), nil
}

// flags are those that the attack needs, and the files that they name.
func (s *site) flags(a attack) (flags []string, err error) {
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
	certificate, key, trust, err := selfSigned()
	if err != nil {
		return nil, err
	}
	s.trust = trust
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

func (s *site) file(name string, content []byte) (string, error) {
	path := filepath.Join(s.dir, name)
	return path, os.WriteFile(path, content, 0o600)
}

// start runs the process and waits until it is ready.
func (s *site) start(ctx context.Context, a attack, flags []string) error {
	command := fleet.Command{s.binary}
	if a.descriptors > 0 {
		command = fleet.Command{"/bin/sh", "-c", fmt.Sprintf(`ulimit -n %d; exec "$0" "$@"`, a.descriptors), s.binary}
	}
	command = append(command, "--host=127.0.0.1", "--telemetry-host=127.0.0.1", "--port={{.Port}}", "--telemetry-port={{.TelemetryPort}}")
	ctx, cancel := context.WithCancel(ctx)
	f, err := fleet.Start(ctx, fleet.Options{
		Command: append(command, flags...), Kubeconfig: func(int) string { return "" }, Shards: 1, Dir: s.dir,
	})
	if err != nil {
		cancel()
		return err
	}
	s.closers = append(s.closers, func() { cancel(); f.Wait() })
	s.shard = f.Shards[0]
	if s.trust != nil {
		for _, url := range []*string{&s.shard.Base, &s.shard.Metrics, &s.shard.Telemetry} {
			*url = strings.Replace(*url, "http://", "https://", 1)
		}
	}
	client := s.client(prometheusAddress, scrapeTimeout)
	return until(ctx, "ready", func() error {
		select {
		case err := <-f.Failed():
			return fmt.Errorf("%w: %w", errEnded, err)
		default:
			return s.get(ctx, client, s.shard.Base+"/readyz")
		}
	})
}

var errEnded = errors.New("statefleet has ended")

// until waits until something is so.
func until(ctx context.Context, what string, is func() error) error {
	err := is()
	for deadline := time.Now().Add(patience); err != nil; err = is() {
		if ctx.Err() != nil || errors.Is(err, errEnded) || time.Now().After(deadline) {
			return fmt.Errorf("not %s: %w", what, err)
		}
		pause(ctx, 100*time.Millisecond)
	}
	return nil
}

// stop ends what the site has started, the last first.
func (s *site) stop() {
	for len(s.closers) > 0 {
		last := len(s.closers) - 1
		s.closers[last]()
		s.closers = s.closers[:last]
	}
}

// lastLines are the last ones of the process' log, but for those of every start.
func (s *site) lastLines() []string {
	log, err := os.ReadFile(filepath.Join(s.dir, "shard-0.log"))
	if err != nil {
		return nil
	}
	lines := strings.Split(strings.TrimSpace(string(log)), "\n")
	return lines[max(0, len(lines)-5):]
}
