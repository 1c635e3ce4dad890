package attack

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/statefleet/statefleet/benchmarks/fleet"
)

const (
	slowReaders = 45
	streams     = 60

	tokensPerSecond = 60
	// tokenFloodTime is longer than the review of a token stays valid, so that the honest token is reviewed again.
	tokenFloodTime = 80 * time.Second
)

// readerAttacks returns the attacks of a client that requests the exposition and does not read it, or has no valid
// token.
func readerAttacks() []attack {
	return []attack{
		{name: "slow-readers", run: neverRead},
		{name: "closed-window", tls: true, run: closedWindow},
		{name: "token-flood", tls: true, tokens: true, duration: tokenFloodTime, run: floodTokens},
	}
}

// neverRead holds connections on which it requests the exposition and reads nothing. It reconnects when the server
// closes one.
func neverRead(ctx context.Context, s *system) (string, error) {
	var clients sync.WaitGroup
	var connections atomic.Int64
	for range slowReaders {
		clients.Go(func() {
			for ctx.Err() == nil {
				if conn, err := s.dial(ctx, "metrics"); err == nil {
					connections.Add(1)
					requestAndStall(ctx, conn)
				}
				_ = fleet.Pause(ctx, honestInterval)
			}
		})
	}
	clients.Wait()
	if connections.Load() < slowReaders {
		return "", fmt.Errorf("got %d connections, want at least %d", connections.Load(), slowReaders)
	}
	return fmt.Sprintf("%d clients that request the exposition and never read it, with %d connections",
		slowReaders, connections.Load()), nil
}

// requestAndStall requests the exposition and keeps the connection until the server closes it or ctx ends.
func requestAndStall(ctx context.Context, conn net.Conn) {
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	defer func() { _ = conn.Close() }()
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(4 << 10) // so that little of the response fits
	}
	for {
		// A write fails once the server has closed the connection.
		if _, err := fmt.Fprint(conn, "GET /metrics HTTP/1.1\r\nHost: statefleet\r\n\r\n"); err != nil {
			return
		}
		if fleet.Pause(ctx, honestInterval) != nil {
			return
		}
	}
}

// closedWindow requests the exposition on many streams of one HTTP/2 connection, and gives no stream a flow-control
// window.
func closedWindow(ctx context.Context, s *system) (string, error) {
	connections, answers := 0, 0
	for ctx.Err() == nil {
		n, err := s.holdStreams(ctx)
		if answers += n; answers == 0 && err != nil && ctx.Err() == nil {
			return "", err
		}
		connections++
		_ = fleet.Pause(ctx, honestInterval)
	}
	if answers == 0 {
		return "", errors.New("no stream got a response")
	}
	return fmt.Sprintf("%d connections with %d streams each and a closed window; %d streams got a response",
		connections, streams, answers), nil
}

// holdStreams holds one such connection until the server closes it or ctx ends, and returns the error of that. It
// also returns the number of streams on which a response began.
func (s *system) holdStreams(ctx context.Context) (answers int, err error) {
	plain, err := s.dial(ctx, "metrics")
	if err != nil {
		return 0, err
	}
	defer context.AfterFunc(ctx, func() { _ = plain.Close() })()
	defer func() { _ = plain.Close() }()
	config := s.trust.Clone()
	config.ServerName, config.NextProtos = "127.0.0.1", []string{"h2"}
	conn := tls.Client(plain, config)
	if _, err := fmt.Fprint(conn, http2.ClientPreface); err != nil {
		return 0, err
	}
	framer := http2.NewFramer(conn, conn)
	if err := framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}); err != nil {
		return 0, err
	}
	for i := range uint32(streams) {
		if err := requestMetrics(framer, 2*i+1); err != nil {
			return 0, err
		}
	}
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return answers, err
		}
		switch f := frame.(type) {
		case *http2.HeadersFrame:
			answers++
		case *http2.SettingsFrame:
			if !f.IsAck() {
				err = framer.WriteSettingsAck()
			}
		case *http2.PingFrame:
			err = framer.WritePing(true, f.Data)
		}
		if err != nil {
			return answers, err
		}
	}
}

// requestMetrics requests the exposition on a stream.
func requestMetrics(framer *http2.Framer, stream uint32) error {
	var header bytes.Buffer
	encoder := hpack.NewEncoder(&header)
	for _, f := range []hpack.HeaderField{
		{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "https"},
		{Name: ":authority", Value: "statefleet"}, {Name: ":path", Value: "/metrics"},
	} {
		if err := encoder.WriteField(f); err != nil {
			return err
		}
	}
	return framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: header.Bytes(), EndStream: true, EndHeaders: true})
}

// floodTokens sends requests, each with a different invalid token.
func floodTokens(ctx context.Context, s *system) (string, error) {
	client := s.client(attackerAddress, scrapeTimeout)
	var sent, admitted atomic.Int64
	tick := time.NewTicker(time.Second / tokensPerSecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		n := sent.Add(1)
		go func() {
			attacker := &fleet.Replica{Client: client, Token: fmt.Sprintf("guess-%d", n)}
			if response, err := attacker.Open(ctx, s.replica.URL+"/metrics", "gzip"); err == nil {
				if response.StatusCode == http.StatusOK {
					admitted.Add(1)
				}
				_ = response.Body.Close()
			}
		}()
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	if admitted.Load() > 0 {
		return "", fmt.Errorf("%d wrong tokens were accepted, want 0", admitted.Load())
	}
	return fmt.Sprintf("%d wrong tokens a second; the API server reviewed %d of %d",
		tokensPerSecond, s.api.reviews.Load(), sent.Load()), nil
}
