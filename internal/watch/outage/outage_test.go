package outage

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/statefleet/statefleet/internal/testing/faketime"
)

func TestDescribe(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	for _, c := range []struct {
		err  error
		want string
	}{
		{&url.Error{Op: "Get", URL: "https://10.0.0.1:443/api/v1/pods?limit=5", Err: refused}, "https://10.0.0.1:443: connection refused"},
		{&url.Error{URL: "https://a/b", Err: &net.OpError{Op: "remote error", Err: errors.New("tls: bad certificate")}}, "https://a: tls: bad certificate"},
		{&url.Error{URL: "https://a", Err: io.EOF}, "https://a: EOF"},
		{errors.Join(errors.New("list pods"), &url.Error{URL: "http://b/c", Err: io.EOF}), "http://b: EOF"},
		{errors.New("refused with status 500"), ""},
		{nil, ""},
	} {
		if got := Describe(c.err); got != c.want {
			t.Errorf("Describe(%v) = %q, want %q", c.err, got, c.want)
		}
	}
}

// api is an API server that answers while err is nil.
type api struct{ err error }

func (a *api) RoundTrip(*http.Request) (*http.Response, error) {
	if a.err != nil {
		return nil, a.err
	}
	return &http.Response{Body: http.NoBody}, nil
}

func TestOutageIsLoggedOnce(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		var text bytes.Buffer
		log, server := &Log{Logger: slog.New(slog.NewTextHandler(&text, nil))}, &api{err: io.EOF}
		transport := log.Wrap(server)
		request := func(ctx context.Context) {
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://a:6443/api/v1/pods", nil)
			if err != nil {
				t.Fatal(err)
			}
			if resp, err := transport.RoundTrip(r); err == nil {
				_ = resp.Body.Close()
			}
		}
		logged := func(lines ...string) {
			t.Helper()
			got := strings.Split(strings.TrimSpace(text.String()), "\n")
			text.Reset()
			for i, want := range lines {
				if len(got) != len(lines) || !strings.Contains(got[i], want) {
					t.Fatalf("logged %q, want %q", got, lines)
				}
			}
			if len(lines) == 0 && got[0] != "" {
				t.Fatalf("logged %q, want nothing", got)
			}
		}
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		request(cancelled)
		logged()
		for range 32 {
			request(t.Context())
		}
		logged(`msg="cannot reach the API server; retrying" server=https://a:6443 err=EOF`)
		time.Sleep(time.Hour)
		request(t.Context())
		logged()
		server.err = nil
		request(t.Context())
		request(t.Context())
		logged("the API server answers again\" after=1h0m0s")
		for range 100 { // one of two API servers is unavailable
			server.err = io.EOF
			request(t.Context())
			server.err = nil
			request(t.Context())
			time.Sleep(time.Second)
		}
		logged("cannot reach", "answers again", "cannot reach", "answers again")
	})
}
