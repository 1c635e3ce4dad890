package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
)

// maxHeaderBytes limits the headers of a request. Those of Prometheus are less than 1 KiB.
const maxHeaderBytes = 64 << 10

// maxStreams limits the concurrent requests on one HTTP/2 connection. Prometheus sends one.
const maxStreams = 10

// Timeouts limit how long a client can occupy a connection. Zero means no limit, unless stated
// otherwise.
type Timeouts struct {
	ReadHeader time.Duration // until the end of the request's headers
	Read       time.Duration // of the whole request
	Write      time.Duration // from the end of the request's headers to the end of the response
	Stall      time.Duration // for 64 KiB of a response
	Idle       time.Duration // between requests; more than the scrape interval saves handshakes; zero: as Read
	Grace      time.Duration // for unfinished responses when the server stops; zero cuts them off
}

// DefaultTimeouts suit Prometheus' default intervals, and scrapes of some hundred megabytes.
func DefaultTimeouts() Timeouts {
	return Timeouts{
		ReadHeader: 5 * time.Second,
		Read:       time.Minute,
		Write:      time.Minute,
		Stall:      5 * time.Second,
		Idle:       time.Minute,
		Grace:      15 * time.Second,
	}
}

// Server serves one handler on some listeners.
type Server struct {
	// Listeners are closed by Run. Required.
	Listeners []net.Listener
	// Handler is required, because any package may add handlers to http.DefaultServeMux.
	Handler http.Handler
	// Config has TLS and basic authentication; nil: neither. Health paths need no password. Servers can
	// share a ConfigFile; the caller runs it.
	Config *ConfigFile
	// Timeouts, see [DefaultTimeouts].
	Timeouts Timeouts
	// Connections limits the connections of clients, on all listeners together.
	Connections ConnectionLimits
	// Metrics count connections. Required.
	Metrics *ServerMetrics
	// Port is the name of the server in metrics.
	Port string
	// Logger logs addresses and errors of connections. Required.
	Logger *slog.Logger
}

// Run serves until ctx ends, waits up to Timeouts.Grace for unfinished responses, and returns nil. If a
// listener fails, it stops the others and returns the error.
func (s Server) Run(ctx context.Context) error {
	if s.Handler == nil {
		for _, l := range s.Listeners {
			_ = l.Close() // nothing was accepted
		}
		return errors.New("server has no handler")
	}
	if s.Config != nil {
		s.Handler = newGate(s.Config, s.Handler)
	}
	limits := newConnections(s.Connections, s.Metrics, s.Port)
	server := &http.Server{
		Handler:           endStalled(limits.protect(s.Handler), s.Timeouts.Stall, s.Timeouts.Write),
		ReadHeaderTimeout: s.Timeouts.ReadHeader,
		ReadTimeout:       s.Timeouts.Read,
		WriteTimeout:      s.Timeouts.Write,
		IdleTimeout:       s.Timeouts.Idle,
		MaxHeaderBytes:    maxHeaderBytes,
		// The handler gets "OPTIONS *" too, because it checks the caller.
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     newLimitedLog(s.Logger, slog.LevelWarn).logger(),
		ConnContext:                  limits.admit,
		ConnState:                    limits.changed,
		HTTP2:                        &http.HTTP2Config{MaxConcurrentStreams: maxStreams, WriteByteTimeout: s.Timeouts.Stall},
	}
	serve := s.configure(server)
	g, ctx := errgroup.WithContext(ctx)
	for _, l := range s.Listeners {
		g.Go(func() error {
			defer func() { _ = l.Close() }()
			if err := serve(l); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("serving on %s: %w", l.Addr(), err)
			}
			return nil
		})
	}
	<-ctx.Done()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.Timeouts.Grace)
	defer cancel()
	if server.Shutdown(grace) != nil {
		_ = server.Close() // fails only for connections that are closed already
	}
	return g.Wait()
}

// configure prepares the server for TLS if the configuration has it. It returns the function that serves
// a listener until the server is stopped.
func (s Server) configure(server *http.Server) (serve func(net.Listener) error) {
	if s.Config == nil || !s.Config.HasTLS() {
		return func(l net.Listener) error {
			s.Logger.Info("Listening on", "address", l.Addr().String(), "tls", false)
			return server.Serve(l)
		}
	}
	c := s.Config.valid.Load()
	server.Protocols = new(http.Protocols)
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetHTTP2(c.HTTPConfig.HTTP2)
	server.TLSConfig = c.tls.Clone()
	server.TLSConfig.GetConfigForClient = s.Config.tlsFor
	return func(l net.Listener) error {
		s.Logger.Info("Listening on", "address", l.Addr().String(), "tls", true, "http2", c.HTTPConfig.HTTP2)
		return server.ServeTLS(l, "", "")
	}
}
