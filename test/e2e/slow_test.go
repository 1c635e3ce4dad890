package e2e

import (
	"net/http"
	"sync/atomic"
	"time"
)

// slow is a handler for a gate that limits the rate of the responses to lists and watches of pods. Other requests pass
// unchanged.
type slow struct {
	next http.Handler
	rate atomic.Int64 // bytes per second for each response; 0: unlimited
}

// ServeHTTP implements [http.Handler].
func (s *slow) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet && r.URL.Path == "/api/v1/pods" {
		w = &slowWriter{ResponseWriter: w, slow: s, request: r}
	}
	s.next.ServeHTTP(w, r)
}

// slowWriter writes a response in small pieces.
type slowWriter struct {
	http.ResponseWriter
	slow    *slow
	request *http.Request
}

// piecesPerSecond is the number of pieces that slowWriter writes in a second.
const piecesPerSecond = 50

// Write implements [http.ResponseWriter].
func (w *slowWriter) Write(b []byte) (written int, err error) {
	for len(b) > 0 && err == nil {
		piece := b
		if rate := int(w.slow.rate.Load()); rate > 0 {
			piece = b[:min(len(b), max(1, rate/piecesPerSecond))]
			select {
			case <-time.After(time.Second / piecesPerSecond):
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
