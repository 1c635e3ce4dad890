package simulator

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// endpoint is how clients reach a started server.
type endpoint struct {
	url string
	ca  []byte // PEM; empty for plain HTTP
}

// Server is one listener of a Cluster. With one server per client the traffic
// of each client can be told apart.
type Server struct {
	endpoint
	handler *handler
	http    *http.Server
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu      sync.Mutex
	stopped bool
}

// URL is the base of the API, "http://127.0.0.1:6443".
func (s *Server) URL() string { return s.url }

// Traffic is what this listener has served, by resource.
func (s *Server) Traffic() map[string]Traffic { return s.handler.own.load() }

// HonourShards has this listener honour the shardSelector, or not, whatever the
// Cluster's Options say. Watches that are open stay as they are.
func (s *Server) HonourShards(honour bool) { s.handler.shards.Store(honour) }

// Stop closes the listener and all connections and waits until every request
// has ended. It may be called more than once.
func (s *Server) Stop() {
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
	s.cancel()
	_ = s.http.Close() // reports only listeners that were closed before
	s.running.Wait()
}

// Serve starts a server on addr, "127.0.0.1:0" if it is empty.
func (c *Cluster) Serve(addr string) (*Server, error) {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	ctx, cancel := context.WithCancel(context.Background())
	listener, err := (&net.ListenConfig{Control: unpaced}).Listen(ctx, "tcp", addr)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("listen for the simulated API: %w", err)
	}
	s := &Server{endpoint: endpoint{url: "http://" + listener.Addr().String()}, handler: c.newHandler(), cancel: cancel}
	s.http = &http.Server{
		Handler:           http.HandlerFunc(s.serve),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	serve := s.http.Serve
	if c.options.TLS {
		certificate, ca, err := selfSigned(listener.Addr())
		if err != nil {
			cancel()
			return nil, errors.Join(err, listener.Close())
		}
		s.url, s.ca = "https://"+listener.Addr().String(), ca
		s.http.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
		serve = func(l net.Listener) error { return s.http.ServeTLS(l, "", "") }
	}
	s.running.Go(func() {
		if err := serve(listener); !errors.Is(err, http.ErrServerClosed) {
			slog.Error("simulated API stopped", "url", s.url, "err", err)
		}
	})
	c.mu.Lock()
	c.started = s.endpoint
	c.mu.Unlock()
	return s, nil
}

// serve lets Stop wait for requests, which http.Server.Close does not.
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

// Start is Serve for callers that need no counters of their own.
func (c *Cluster) Start(addr string) (url string, stop func(), err error) {
	s, err := c.Serve(addr)
	if err != nil {
		return "", nil, err
	}
	return s.URL(), s.Stop, nil
}

// WriteKubeconfig writes a kubeconfig for the server that was started last.
func (c *Cluster) WriteKubeconfig(path string) error {
	c.mu.Lock()
	server := c.started
	c.mu.Unlock()
	if server.url == "" {
		return errors.New("write kubeconfig: the simulated API has not been started")
	}
	const name = "simulated"
	config := clientcmdapi.NewConfig()
	config.Clusters[name] = &clientcmdapi.Cluster{Server: server.url, CertificateAuthorityData: server.ca}
	config.AuthInfos[name] = clientcmdapi.NewAuthInfo()
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	config.CurrentContext = name
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		return fmt.Errorf("write kubeconfig: %w", err)
	}
	return nil
}
