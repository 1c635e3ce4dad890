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

// maxHeaderBytes bounds what a client may send before it is answered; Prometheus sends less than 1 KiB.
const maxHeaderBytes = 64 << 10

// maxStreams bounds the requests at once on one HTTP/2 connection. Prometheus has one.
const maxStreams = 10

// Timeouts bound what a client can hold up. Zero means no bound, unless said otherwise.
type Timeouts struct {
	ReadHeader time.Duration // from the connection's first byte to the end of the request's headers
	Read       time.Duration // of the whole request
	Write      time.Duration // from the end of the request's headers to the end of the answer
	Stall      time.Duration // for 64 KiB of an answer
	Idle       time.Duration // between requests on one connection; longer than the scrape interval saves handshakes; zero: as Read
	Grace      time.Duration // for answers under way when the server is told to stop; zero cuts them off
}

// DefaultTimeouts suit Prometheus' default intervals and pages of some hundred megabytes.
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
	// Handler answers the requests. Required: http.DefaultServeMux, to which other packages add what they like, is never served.
	Handler http.Handler
	// ConfigFile names the web configuration file with TLS and basic authentication; empty for neither. It is read when it
	// changes, not for each request. A change that is not valid is logged, and the configuration before it stays in use.
	// Health paths need no password.
	ConfigFile string
	// Passwords is what ValidateConfig says of the file. With it, a file without users is not valid.
	Passwords bool
	// Timeouts, see DefaultTimeouts.
	Timeouts Timeouts
	// Connections bounds the connections of clients, on all listeners together.
	Connections ConnectionLimits
	// Metrics count connections; nil: they are not counted.
	Metrics *ServerMetrics
	// Port is the name of the server in metrics.
	Port string
	// Logger gets the addresses and what goes wrong with connections. Required.
	Logger *slog.Logger
}

// Run serves until ctx ends, then lets the answers under way finish for Timeouts.Grace, and returns nil. It returns an
// error when a listener fails, having stopped the others.
func (s Server) Run(ctx context.Context) error {
	config, err := s.prepare()
	if err != nil {
		for _, l := range s.Listeners {
			_ = l.Close() // nothing was accepted
		}
		return err
	}
	s.Metrics.start(s.Port)
	limits, errorLog := newConnections(s.Connections, s.Metrics, s.Port), newLimitedLog(s.Logger, slog.LevelWarn)
	s.Handler = endStalled(limits.protect(s.Handler), s.Timeouts.Stall, s.Timeouts.Write)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		errorLog.run(ctx)
		return nil
	})
	if config != nil {
		g.Go(func() error {
			config.follow(ctx)
			return nil
		})
	}
	for _, l := range s.Listeners {
		g.Go(func() error { return s.serve(ctx, l, config, limits, errorLog) })
	}
	return g.Wait()
}

// prepare reads the configuration file, if there is one, and puts what it asks for in front of the handler.
func (s *Server) prepare() (*configFile, error) {
	if s.Handler == nil {
		return nil, errors.New("a server has no handler")
	}
	if s.ConfigFile == "" {
		return nil, nil
	}
	config, err := newConfigFile(s.ConfigFile, s.Passwords, s.Logger)
	if err != nil {
		return nil, fmt.Errorf("web configuration file: %w", err)
	}
	config.loaded = func(ok bool) { s.Metrics.configInUse(s.Port, ok) }
	config.loaded(true)
	s.Handler = newGate(config, s.Handler)
	return config, nil
}

func (s Server) serve(ctx context.Context, l net.Listener, config *configFile, limits *connections, errorLog *limitedLog) error {
	defer func() { _ = l.Close() }()
	server := &http.Server{
		Handler:           s.Handler,
		ReadHeaderTimeout: s.Timeouts.ReadHeader,
		ReadTimeout:       s.Timeouts.Read,
		WriteTimeout:      s.Timeouts.Write,
		IdleTimeout:       s.Timeouts.Idle,
		MaxHeaderBytes:    maxHeaderBytes,
		// "OPTIONS *" is for the handler, as all else is: it decides who may ask.
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     errorLog.logger(),
		ConnContext:                  limits.admit,
		ConnState:                    limits.changed,
		HTTP2:                        &http.HTTP2Config{MaxConcurrentStreams: maxStreams, WriteByteTimeout: s.Timeouts.Stall},
	}
	failed := make(chan error, 1)
	go func() {
		failed <- s.accept(l, server, config)
	}()
	select {
	case err := <-failed:
		return fmt.Errorf("serving on %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	stop(ctx, server, s.Timeouts.Grace)
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving on %s: %w", l.Addr(), err)
	}
	return nil
}

// stop ends a server: at once for connections that wait for a request, after grace for those that are being answered.
func stop(ctx context.Context, server *http.Server, grace time.Duration) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if server.Shutdown(ctx) != nil {
		_ = server.Close() // closing what is left can only fail for connections that are gone
	}
}

// accept serves connections until the server is stopped, with TLS if the configuration file asks for it.
func (s Server) accept(l net.Listener, server *http.Server, config *configFile) error {
	if config == nil || config.valid.Load().tls == nil {
		s.Logger.Info("Listening on", "address", l.Addr().String(), "tls", false)
		return server.Serve(l)
	}
	c := config.valid.Load()
	s.Logger.Info("Listening on", "address", l.Addr().String(), "tls", true, "http2", c.HTTPConfig.HTTP2)
	server.Protocols = new(http.Protocols)
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetHTTP2(c.HTTPConfig.HTTP2)
	server.TLSConfig = c.tls.Clone()
	server.TLSConfig.GetConfigForClient = config.tlsFor
	return server.ServeTLS(l, "", "")
}
