package web

import (
	"net/http"
	"strconv"
	"time"
)

// retryAfter is how long, in seconds, a client is told to wait for a page that is not ready.
const retryAfter = 5

// metricsHandler serves the page of metrics.
type metricsHandler struct {
	exporter Exporter
	metrics  *scrapeMetrics
}

func (s *metricsHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, enc := negotiate(r.Header.Values("Accept")), negotiateEncoding(r.Header.Values("Accept-Encoding"))
	code := s.answer(w, r, f, enc)
	s.metrics.scrapes.WithLabelValues(f.name(), string(enc), strconv.Itoa(code)).Inc()
}

// answer writes the response and returns its status code.
func (s *metricsHandler) answer(w http.ResponseWriter, r *http.Request, f negotiated, enc encoding) int {
	start := time.Now()
	w.Header().Set("Vary", "Accept, Accept-Encoding")
	selected, err := parseSelection(r.URL.RawQuery, s.exporter.Resources())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return http.StatusBadRequest
	}
	page, err := s.exporter.Collect(f.format, selected.include)
	if err != nil {
		notReady(w, err)
		return http.StatusServiceUnavailable
	}
	defer page.Release()
	size, write := page.Size, page.WriteText
	if enc == gzipped {
		size, write = page.GzipSize, page.WriteGzip
		w.Header().Set("Content-Encoding", string(gzipped))
	}
	length := size()
	w.Header().Set("Content-Type", f.contentType())
	w.Header().Set("Content-Length", strconv.FormatInt(length, 10))
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return http.StatusOK
	}
	if err := write(w); err != nil {
		// The client left, or was too slow. It has seen fewer bytes than announced, and the server closes the connection.
		s.metrics.failures.Inc()
		return http.StatusOK
	}
	s.metrics.seconds.WithLabelValues(string(enc)).Observe(time.Since(start).Seconds())
	s.metrics.bytes.WithLabelValues(string(enc)).Observe(float64(length))
	return http.StatusOK
}

// notReady answers 503 with the reason.
func notReady(w http.ResponseWriter, reason error) {
	w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
	http.Error(w, reason.Error(), http.StatusServiceUnavailable)
}
