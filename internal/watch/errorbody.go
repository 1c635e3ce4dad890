package watch

import (
	"io"
	"net/http"
)

// maxErrorBody is how many bytes of a failed request's body are read. A Status takes a few kB.
const maxErrorBody = 64 << 10

// LimitErrorBodies returns a RoundTripper that limits the bodies of failed requests. Client-go
// reads such bodies whole, and 4 MB of gzip may decompress to gigabytes. It must wrap the
// transport, which decompresses. It can be passed to [rest.Config.Wrap].
func LimitErrorBodies(next http.RoundTripper) http.RoundTripper { return limitedErrors{next} }

type limitedErrors struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (l limitedErrors) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.next.RoundTrip(r)
	if err != nil || resp.StatusCode == http.StatusSwitchingProtocols || resp.StatusCode >= 200 && resp.StatusCode <= 206 {
		return resp, err // client-go treats these as success
	}
	resp.Body = limitedBody{io.LimitReader(resp.Body, maxErrorBody), resp.Body}
	return resp, nil
}

// WrappedRoundTripper returns the wrapped transport, so that its connections can be closed.
func (l limitedErrors) WrappedRoundTripper() http.RoundTripper { return l.next }

type limitedBody struct {
	io.Reader
	io.Closer
}
