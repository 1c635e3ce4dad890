package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/statefleet/statefleet/internal/config"
	"github.com/statefleet/statefleet/internal/web"
)

// listen listens on all addresses, or on none.
func listen(ctx context.Context, c *config.Config) (telemetry net.Listener, metrics []net.Listener, err error) {
	var all []net.Listener
	for _, a := range append([]config.Address{c.Telemetry}, c.Listen...) {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", a.HostPort)
		if err != nil {
			closeAll(all)
			return nil, nil, fmt.Errorf("%s: %w", a.Flag, err)
		}
		all = append(all, l)
	}
	if c.SystemdSocket {
		passed, err := systemdSockets()
		if err != nil {
			closeAll(all)
			return nil, nil, fmt.Errorf("--web.systemd-socket: %w", err)
		}
		all = append(all, passed...)
	}
	return all[0], all[1:], nil
}

// systemdSockets returns the sockets that systemd passed, which must accept connections.
func systemdSockets() ([]net.Listener, error) {
	listeners, err := activation.Listeners()
	if err != nil {
		return nil, err
	}
	if len(listeners) == 0 {
		return nil, errors.New("no socket was passed; start the program by a systemd socket unit")
	}
	for i, l := range listeners {
		if l == nil {
			closeAll(listeners)
			return nil, fmt.Errorf("socket %d of %d that were passed does not accept connections", i+1, len(listeners))
		}
	}
	return listeners, nil
}

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		if l != nil {
			_ = l.Close() // it has no connections
		}
	}
}

// loadWebConfig loads the web configuration file; nil if there is none.
func loadWebConfig(c *config.Config, registry *prometheus.Registry, logger *slog.Logger) (*web.ConfigFile, error) {
	if c.WebConfigFile == "" {
		return nil, nil
	}
	file, err := web.LoadConfigFile(c.WebConfigFile, c.AuthFilter, registry, logger)
	if err != nil {
		return nil, fmt.Errorf("--web.config.file: %w", err)
	}
	return file, nil
}

// connectionLimits returns the limits of each of so many servers, within what the process may open.
func (p *process) connectionLimits(servers int) web.ConnectionLimits {
	limits := p.Connections.WithinDescriptors(maxOpenFiles(), servers)
	if limits.Max < p.Connections.Max {
		p.logger.Warn("--web.max-connections exceeds the limit on open files",
			"configured", p.Connections.Max, "effective", limits.Max)
	}
	return limits
}
