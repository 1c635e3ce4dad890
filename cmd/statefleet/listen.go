package main

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/coreos/go-systemd/v22/activation"
)

// bind binds all addresses, or none.
func (s *settings) bind(ctx context.Context) (telemetry net.Listener, metrics []net.Listener, err error) {
	all, err := listen(ctx, append([]address{s.telemetry}, s.listen...))
	if err != nil {
		return nil, nil, err
	}
	if !s.systemdSocket {
		return all[0], all[1:], nil
	}
	if metrics, err = passed(activation.Listeners); err != nil {
		closeAll(all)
		return nil, nil, fmt.Errorf("--web.systemd-socket: %w", err)
	}
	return all[0], metrics, nil
}

// passed returns the sockets that systemd passed. They must be such that connections can be accepted on them.
func passed(sockets func() ([]net.Listener, error)) ([]net.Listener, error) {
	listeners, err := sockets()
	if err != nil {
		return nil, err
	}
	if len(listeners) == 0 {
		return nil, errors.New("no socket was passed; start the program by a systemd socket unit")
	}
	for i, l := range listeners {
		if l == nil { // so the package marks what it could not use
			closeAll(listeners)
			return nil, fmt.Errorf("socket %d of %d that were passed does not accept connections", i+1, len(listeners))
		}
	}
	return listeners, nil
}

// listen binds all addresses, or none.
func listen(ctx context.Context, addresses []address) ([]net.Listener, error) {
	var listeners []net.Listener
	for _, a := range addresses {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", a.hostPort)
		if err != nil {
			closeAll(listeners)
			return nil, fmt.Errorf("%s: %w", a.flag, err)
		}
		listeners = append(listeners, l)
	}
	return listeners, nil
}

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		if l != nil {
			_ = l.Close() // nothing was accepted
		}
	}
}
