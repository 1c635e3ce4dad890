package e2e

import (
	"net/http"
	"sync/atomic"
	"time"
)

// slow makes lists and watches of pods slow that pass through a gate. Everything else passes as it comes.
type slow struct {
	next http.Handler
	rate atomic.Int64 // bytes a second for each response; 0 is as fast as can be
}

// ServeHTTP implements [http.Handler].
func (s *slow) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet && r.URL.Path == "/api/v1/pods" {
		w = &slowWriter{ResponseWriter: w, slow: s, request: r}
	}
	s.next.ServeHTTP(w, r)
}

// slowWriter is a response that comes in small pieces.
type slowWriter struct {
	http.ResponseWriter
	slow    *slow
	request *http.Request
}

// pieces is how many there are in a second.
const pieces = 50

// Write implements [http.ResponseWriter].
func (w *slowWriter) Write(b []byte) (written int, err error) {
	for len(b) > 0 && err == nil {
		piece := b
		if rate := int(w.slow.rate.Load()); rate > 0 {
			piece = b[:min(len(b), max(1, rate/pieces))]
			select {
			case <-time.After(time.Second / pieces):
			case <-w.request.Context().Done():
				return written, w.request.Context().Err()
			}
		}
		var n int
		n, err = w.ResponseWriter.Write(piece)
		written, b = written+n, b[n:]
		w.Flush()
	}
	return written, err
}

// Flush implements [http.Flusher].
func (w *slowWriter) Flush() { _ = http.NewResponseController(w.ResponseWriter).Flush() }
