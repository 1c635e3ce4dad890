package main

import (
	"errors"
	"fmt"
	"net"
	"strconv"
)

// address is where to listen, and the flags that say so.
type address struct{ flag, hostPort string }

func (s *settings) chooseAddresses() error {
	s.telemetry = address{"--telemetry-host, --telemetry-port", hostPort(s.telemetryHost, s.telemetryPort)}
	for _, a := range s.listenAddresses {
		_, port, err := net.SplitHostPort(a)
		if err != nil {
			return fmt.Errorf("--web.listen-address: %w", err)
		}
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return fmt.Errorf("--web.listen-address: %q has no port between 0 and 65535", a)
		}
		s.listen = append(s.listen, address{"--web.listen-address", a})
	}
	if len(s.listen) == 0 {
		s.listen = []address{{"--host, --port", hostPort(s.host, s.port)}}
	}
	return nil
}

// hostPort joins an address and a port. The unspecified IPv6 address stands for all addresses of the machine, whether or
// not it speaks IPv6.
func hostPort(host string, port uint16) string {
	if host == "::" {
		host = ""
	}
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}

// chooseSockets leaves the addresses to systemd.
func (s *settings) chooseSockets() error {
	switch {
	case !s.systemdSocket:
		return nil
	case len(s.listenAddresses) > 0:
		return errors.New("--web.systemd-socket and --web.listen-address exclude each other")
	}
	s.listen = nil
	return nil
}

// chooseTLS makes --web.config.file of the name that kube-state-metrics gives to it.
func (s *settings) chooseTLS() error {
	if s.tlsConfig == "" || s.tlsConfig == s.webConfigFile {
		return nil
	}
	if s.webConfigFile != "" {
		return errors.New("--tls-config and --web.config.file are one setting; give it once")
	}
	s.webConfigFile = s.tlsConfig
	return nil
}
