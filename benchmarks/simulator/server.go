package simulator

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"sync"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/util/cert"
)

// Server is one listener of a Cluster. To measure the traffic of each client,
// start one server per client. The methods may be called concurrently.
type Server struct {
	url     string
	ca      []byte // PEM; empty for plain HTTP
	handler *handler
	http    *http.Server
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu      sync.Mutex
	stopped bool
}

// URL returns the base URL of the API, such as "http://127.0.0.1:6443".
func (s *Server) URL() string { return s.url }

// Traffic returns what this listener has served, by resource.
func (s *Server) Traffic() map[string]Traffic { return s.handler.traffic.load() }

// HonourShards overrides Options.ShardSelector for this listener. Open watches
// are not affected.
func (s *Server) HonourShards(honour bool) { s.handler.shards.Store(honour) }

// Stop closes the listener and all connections and waits until every request
// has ended. It may be called more than once.
func (s *Server) Stop() {
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
	s.cancel()
	_ = s.http.Close() // fails only if the listener was closed before
	s.running.Wait()
}

// Serve starts a server on addr, by default "127.0.0.1:0". The caller must stop it.
func (c *Cluster) Serve(addr string) (*Server, error) {
	ctx, cancel := context.WithCancel(context.Background())
	listener, err := (&net.ListenConfig{Control: disablePacing}).Listen(ctx, "tcp", cmp.Or(addr, "127.0.0.1:0"))
	if err != nil {
		cancel()
		return nil, fmt.Errorf("listen for the simulated API: %w", err)
	}
	s := &Server{url: "http://" + listener.Addr().String(), handler: c.newHandler(), cancel: cancel}
	s.http = &http.Server{
		Handler:           http.HandlerFunc(s.serve),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	serve := s.http.Serve
	if c.options.TLS {
		if err := s.useTLS(listener.Addr()); err != nil {
			cancel()
			return nil, errors.Join(fmt.Errorf("certificate of the simulated API: %w", err), listener.Close())
		}
		serve = func(l net.Listener) error { return s.http.ServeTLS(l, "", "") }
	}
	s.running.Go(func() {
		if err := serve(listener); !errors.Is(err, http.ErrServerClosed) {
			slog.Error("simulated API stopped", "url", s.url, "err", err)
		}
	})
	return s, nil
}

// useTLS generates a self-signed certificate for the address. WriteKubeconfig
// includes it.
func (s *Server) useTLS(addr net.Addr) error {
	host, _, err := net.SplitHostPort(addr.String())
	if err != nil {
		return err
	}
	loopback := []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	certificate, key, err := cert.GenerateSelfSignedCertKey(host, loopback, []string{"localhost"})
	if err != nil {
		return err
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return err
	}
	s.url, s.ca = "https://"+addr.String(), certificate
	s.http.TLSConfig = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	return nil
}

// serve counts running requests, so that Stop can wait for them; http.Server.Close
// does not wait.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	if s.stopped {
		s.mu.Unlock()
		return
	}
	s.running.Add(1)
	s.mu.Unlock()
	defer s.running.Done()
	s.handler.ServeHTTP(w, r)
}

// WriteKubeconfig writes a kubeconfig for the server.
func (s *Server) WriteKubeconfig(path string) error {
	const name = "simulated"
	config := clientcmdapi.NewConfig()
	config.Clusters[name] = &clientcmdapi.Cluster{Server: s.url, CertificateAuthorityData: s.ca}
	config.AuthInfos[name] = clientcmdapi.NewAuthInfo()
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	config.CurrentContext = name
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		return fmt.Errorf("write kubeconfig: %w", err)
	}
	return nil
}

// Traffic counts the requests for one resource and the responses.
type Traffic struct {
	Lists, Watches, Gets uint64 // requests; each page of a list is one
	Events               uint64 // watch frames, including bookmarks
	Bytes                uint64 // of response bodies, without chunk headers
}

func (t Traffic) add(other Traffic) Traffic {
	return Traffic{
		Lists:   t.Lists + other.Lists,
		Watches: t.Watches + other.Watches,
		Gets:    t.Gets + other.Gets,
		Events:  t.Events + other.Events,
		Bytes:   t.Bytes + other.Bytes,
	}
}

// Sum returns the total traffic of all resources.
func Sum(byResource map[string]Traffic) Traffic {
	var sum Traffic
	for _, t := range byResource {
		sum = sum.add(t)
	}
	return sum
}

// traffic counts Traffic by resource. Safe for concurrent use.
type traffic struct {
	mu         sync.Mutex
	byResource map[string]Traffic
}

func (t *traffic) count(resource string, more Traffic) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.byResource[resource] = t.byResource[resource].add(more)
}

func (t *traffic) load() map[string]Traffic {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.byResource)
}
