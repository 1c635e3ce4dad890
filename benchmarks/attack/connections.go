package attack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
)

const (
	attackerAddress = "127.0.0.4"

	manyConnections = 18_000
	fewConnections  = 3_000 // of a brief attack
	// fewDescriptors is the limit of many machines, and somewhat more connections than that are enough.
	fewDescriptors = 1024
	someMore       = 1100
	plainRequests  = 2000
	mostLines      = 100 // of the log, for all of these
)

// connectionAttacks come from a client that opens connections.
func connectionAttacks() []attack {
	return []attack{
		{name: "idle-connections", play: idle(manyConnections, "metrics")},
		{name: "few-descriptors", descriptors: fewDescriptors, play: idle(someMore, "metrics", "telemetry")},
		{name: "plain-http-to-tls", tls: true, play: plainHTTP, judge: shortLog},
	}
}

// idle opens connections, sends one request on each so that they are idle ones afterwards, and leaves them open.
func idle(n int, ports ...string) func(context.Context, *site) (string, error) {
	return func(ctx context.Context, s *site) (string, error) {
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
					continue // it is refused, or this program has no more descriptors
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

// dial connects to a port as an attacker.
func (s *site) dial(ctx context.Context, port string) (net.Conn, error) {
	url := s.replica.URL
	if port == "telemetry" {
		url = s.replica.Telemetry
	}
	_, address, _ := strings.Cut(url, "://")
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(attackerAddress)}}
	return dialer.DialContext(ctx, "tcp", address)
}

// plainHTTP sends requests without TLS to a port with it.
func plainHTTP(ctx context.Context, s *site) (string, error) {
	client := s.client(attackerAddress, scrapeTimeout)
	sent := 0
	for ctx.Err() == nil && sent < plainRequests {
		url := strings.Replace(s.replica.URL, "https:", "http:", 1) + "/metrics"
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return "", err
		}
		if response, err := client.Do(request); err == nil {
			_ = response.Body.Close()
		}
		sent++
		client.CloseIdleConnections()
	}
	return fmt.Sprintf("%d requests without TLS", sent), nil
}

// shortLog fails if clients can fill the log.
func shortLog(_ context.Context, s *site) error {
	log := s.replica.Log()
	if n := strings.Count(log, "TLS handshake error"); n > mostLines {
		return fmt.Errorf("the log has %d lines about handshakes", n)
	}
	if len(log) == 0 {
		return errors.New("there is no log")
	}
	return nil
}
