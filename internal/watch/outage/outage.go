// Package outage logs only once that an API server cannot be reached, however many requests of
// however many clients fail.
package outage

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"
)

// Describe returns one line about an error of a request that got no answer, such as
// "https://10.0.0.1:443: connection refused", or "" for other errors. The line is the same for all
// requests that fail for one reason: it has neither their paths nor the ports of their connections.
func Describe(err error) string {
	u, ok := errors.AsType[*url.Error](err)
	if !ok {
		return ""
	}
	at, err := url.Parse(u.URL)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%s://%s: %v", at.Scheme, at.Host, cause(u.Err))
}

// Level is the level at which one client logs an error. A [Log] logs once for all of them that an API
// server does not answer.
func Level(err error) slog.Level {
	if Describe(err) != "" {
		return slog.LevelDebug
	}
	return slog.LevelWarn
}

// cause returns the part of an error of a connection that does not name its ports.
func cause(err error) error {
	if system, ok := errors.AsType[*os.SyscallError](err); ok {
		return system.Err
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err
	}
	return err
}

// logInterval is the least time between two outages that are logged. Otherwise one of several API
// servers that does not answer would cause two lines for every other request.
const logInterval = time.Minute

// Log logs when an API server cannot be reached, and when it answers again. Clients of one API
// server share it. It is safe for concurrent use.
type Log struct {
	Logger *slog.Logger

	mu       sync.Mutex
	since    time.Time // when requests began to fail; zero while they are answered
	lastLog  time.Time // when an outage was last logged
	reported bool      // the present outage was logged
}

// Wrap returns a RoundTripper that passes requests to next and logs outages. It can be passed to
// rest.Config.Wrap.
func (l *Log) Wrap(next http.RoundTripper) http.RoundTripper { return transport{next, l} }

type transport struct {
	next http.RoundTripper
	log  *Log
}

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(r)
	switch {
	case err == nil:
		t.log.answered()
	case r.Context().Err() == nil: // otherwise this process has cancelled the request
		t.log.failed(r.URL, err)
	}
	return resp, err
}

// WrappedRoundTripper returns the wrapped transport, so that its connections can be closed.
func (t transport) WrappedRoundTripper() http.RoundTripper { return t.next }

func (l *Log) failed(at *url.URL, err error) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.since.IsZero() {
		l.since = now
	}
	if !l.reported && now.Sub(l.lastLog) >= logInterval {
		l.reported, l.lastLog = true, now
		l.Logger.Warn("cannot reach the API server; retrying", "server", at.Scheme+"://"+at.Host, "err", cause(err))
	}
}

func (l *Log) answered() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reported {
		l.Logger.Info("the API server answers again", "after", time.Since(l.since).Round(time.Millisecond))
	}
	l.since, l.reported = time.Time{}, false
}
