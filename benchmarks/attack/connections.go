package attack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/statefleet/statefleet/benchmarks/fleet"
)

const (
	attackerAddress = "127.0.0.4"

	manyConnections = 18_000
	fewConnections  = 3_000 // with options.brief
	// fewDescriptors is the default limit on many machines. aboveDescriptors connections exceed it.
	fewDescriptors   = 1024
	aboveDescriptors = 1100
	plainRequests    = 2000
	maxLogLines      = 100 // about the plainRequests
)

// connectionAttacks returns the attacks of a client that opens connections.
func connectionAttacks() []attack {
	return []attack{
		{name: "idle-connections", run: idle(manyConnections, "metrics")},
		{name: "few-descriptors", descriptors: fewDescriptors, run: idle(aboveDescriptors, "metrics", "telemetry")},
		{name: "plain-http-to-tls", tls: true, run: plainHTTP, check: checkLogLength},
	}
}

// idle opens n connections to each port, sends one request on each so that it is idle afterwards, and leaves them
// open.
func idle(n int, ports ...string) func(context.Context, *system) (string, error) {
	return func(ctx context.Context, s *system) (string, error) {
		opened, n := 0, n
		if s.brief {
			n = min(n, fewConnections)
		}
		for _, port := range ports {
			for range n {
				conn, err := s.dial(ctx, port)
				if ctx.Err() != nil {
					break
				}
				if err != nil {
					continue // refused, or this program has no more descriptors
				}
				defer func() { _ = conn.Close() }()
				if _, err := fmt.Fprint(conn, "GET /livez HTTP/1.1\r\nHost: statefleet\r\n\r\n"); err == nil {
					opened++
				}
			}
		}
		if opened == 0 {
			return "", errors.New("no connection was accepted")
		}
		<-ctx.Done()
		return fmt.Sprintf("%d connections that stay open on each of %d ports", opened/len(ports), len(ports)), nil
	}
}

// dial connects to a port from the address of the attacker.
func (s *system) dial(ctx context.Context, port string) (net.Conn, error) {
	url := s.replica.URL
	if port == "telemetry" {
		url = s.replica.Telemetry
	}
	_, address, _ := strings.Cut(url, "://")
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(attackerAddress)}}
	return dialer.DialContext(ctx, "tcp", address)
}

// plainHTTP sends requests without TLS to a port with TLS.
func plainHTTP(ctx context.Context, s *system) (string, error) {
	attacker := &fleet.Replica{Client: s.client(attackerAddress, scrapeTimeout)}
	url := strings.Replace(s.replica.URL, "https:", "http:", 1) + "/metrics"
	sent := 0
	for ; ctx.Err() == nil && sent < plainRequests; sent++ {
		if response, err := attacker.Open(ctx, url, "gzip"); err == nil {
			_ = response.Body.Close()
		}
		attacker.Client.CloseIdleConnections()
	}
	return fmt.Sprintf("%d requests without TLS", sent), nil
}

// checkLogLength returns an error if clients can fill the log.
func checkLogLength(_ context.Context, s *system) error {
	log := s.replica.Log()
	if n := strings.Count(log, "TLS handshake error"); n > maxLogLines {
		return fmt.Errorf("the log has %d lines about TLS handshakes, want at most %d", n, maxLogLines)
	}
	if len(log) == 0 {
		return errors.New("the log is empty")
	}
	return nil
}
