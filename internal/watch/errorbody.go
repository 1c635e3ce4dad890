package watch

import (
	"io"
	"net/http"
)

// maxErrorBody bounds what is read of the body of a failed request. A Status takes a few kB.
const maxErrorBody = 64 << 10

// LimitErrorBodies returns a RoundTripper whose answers to failed requests have bodies of a
// bounded length: client-go reads those as a whole, and 4 MB of gzip may stand for gigabytes.
// It belongs on top of the transport, which is what decompresses. It fits [rest.Config.Wrap].
func LimitErrorBodies(next http.RoundTripper) http.RoundTripper { return limitedErrors{next} }

type limitedErrors struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (l limitedErrors) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.next.RoundTrip(r)
	if err != nil || resp.StatusCode == http.StatusSwitchingProtocols || resp.StatusCode >= 200 && resp.StatusCode <= 206 {
		return resp, err // what client-go takes for a success
	}
	resp.Body = limitedBody{io.LimitReader(resp.Body, maxErrorBody), resp.Body}
	return resp, nil
}

// WrappedRoundTripper returns the transport below, for who wants to close its connections.
func (l limitedErrors) WrappedRoundTripper() http.RoundTripper { return l.next }

type limitedBody struct {
	io.Reader
	io.Closer
}
