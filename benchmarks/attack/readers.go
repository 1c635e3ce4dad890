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
	// outlastsTokens is longer than statefleet remembers that it knows a token.
	outlastsTokens = 80 * time.Second
)

// readerAttacks come from a client that asks for the page and does not read it, or has no token.
func readerAttacks() []attack {
	return []attack{
		{name: "slow-readers", play: neverRead},
		{name: "closed-window", tls: true, play: closedWindow},
		{name: "token-flood", tls: true, tokens: true, lasts: outlastsTokens, play: floodTokens},
	}
}

// neverRead holds connections that request the page and read nothing. It reconnects when the server closes one.
func neverRead(ctx context.Context, s *site) (string, error) {
	var clients sync.WaitGroup
	var connections atomic.Int64
	for range slowReaders {
		clients.Go(func() {
			for ctx.Err() == nil {
				if conn, err := s.dial(ctx, "metrics"); err == nil {
					connections.Add(1)
					askAndWait(ctx, conn)
				}
				_ = fleet.Pause(ctx, honestPause)
			}
		})
	}
	clients.Wait()
	if connections.Load() < slowReaders {
		return "", fmt.Errorf("%d of %d clients could connect", connections.Load(), slowReaders)
	}
	return fmt.Sprintf("%d clients that ask for the page and never read, with %d connections",
		slowReaders, connections.Load()), nil
}

// askAndWait asks for the page and keeps the connection until the other end gives up, or ctx ends.
func askAndWait(ctx context.Context, conn net.Conn) {
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	defer func() { _ = conn.Close() }()
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(4 << 10) // so that little of the page fits
	}
	for {
		// What is sent and not read shows that the other end has closed the connection.
		if _, err := fmt.Fprint(conn, "GET /metrics HTTP/1.1\r\nHost: statefleet\r\n\r\n"); err != nil {
			return
		}
		if fleet.Pause(ctx, honestPause) != nil {
			return
		}
	}
}

// closedWindow asks for the page on many streams of one HTTP/2 connection, and lets no stream send anything.
func closedWindow(ctx context.Context, s *site) (string, error) {
	connections, answers := 0, 0
	for ctx.Err() == nil {
		n, err := s.withoutWindow(ctx)
		if answers += n; answers == 0 && err != nil && ctx.Err() == nil {
			return "", err
		}
		connections++
		_ = fleet.Pause(ctx, honestPause)
	}
	if answers == 0 {
		return "", errors.New("no stream was answered")
	}
	return fmt.Sprintf("%d connections with %d streams each and a closed window; %d streams were answered",
		connections, streams, answers), nil
}

// withoutWindow plays it until the other end gives up, or ctx ends, which is the error. It returns the number of streams on
// which an answer began.
func (s *site) withoutWindow(ctx context.Context) (answers int, err error) {
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
		if err := askFor(framer, 2*i+1); err != nil {
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

// askFor asks for the page on a stream.
func askFor(framer *http2.Framer, stream uint32) error {
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

// floodTokens sends requests, each with another unknown token.
func floodTokens(ctx context.Context, s *site) (string, error) {
	client := s.client(attackerAddress, scrapeTimeout)
	var sent, admitted atomic.Int64
	tick := time.NewTicker(time.Second / tokensPerSecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		n := sent.Add(1)
		go func() {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.replica.URL+"/metrics", nil)
			if err != nil {
				return
			}
			request.Header.Set("Authorization", fmt.Sprintf("Bearer guess-%d", n))
			if response, err := client.Do(request); err == nil {
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
		return "", fmt.Errorf("%d wrong tokens were let in", admitted.Load())
	}
	return fmt.Sprintf("%d wrong tokens a second; the API server reviewed %d of %d",
		tokensPerSecond, s.api.reviews.Load(), sent.Load()), nil
}
