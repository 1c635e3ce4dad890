package web

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/statefleet/statefleet/store"
)

// Exporter provides what the handlers serve. Its methods may be called concurrently and do not wait
// for the API server.
type Exporter interface {
	// Ready returns nil if the replica holds everything that it must serve; otherwise an error that
	// says what is missing.
	Ready() error
	// Resources returns the names of the exported resources, such as "pods".
	Resources() []string
	// Snapshot returns the exposition of the resources that include admits. The error says why this
	// replica serves nothing now: because it is not ready, or because another replica serves its shard.
	Snapshot(format store.Format, include func(resource string) bool) (Snapshot, error)
}

// Snapshot is an exposition whose exact size is known before it is written. It is implemented by
// [store.Snapshot]. The handler uses one of the two encodings, from one goroutine.
type Snapshot interface {
	GzipSize() int64
	WriteGzip(w io.Writer) error // one gzip member
	Size() int64
	WriteText(w io.Writer) error
	Release()
}

// retryAfter is the Retry-After header of responses that may succeed later, in seconds.
const retryAfter = 5

// metricsHandler serves the exposition.
type metricsHandler struct {
	exporter Exporter
	metrics  *scrapeMetrics
	log      *ScrapeLog
}

func (h *metricsHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	format, contentType := negotiateFormat(r.Header.Values("Accept"))
	enc := negotiateEncoding(r.Header.Values("Accept-Encoding"))
	w.Header().Set("Vary", "Accept, Accept-Encoding")
	code := h.respond(w, r, format, contentType, enc)
	h.metrics.scrapes.WithLabelValues(formatLabel(format), string(enc), strconv.Itoa(code)).Inc()
}

// respond writes the response and returns its status code.
func (h *metricsHandler) respond(w http.ResponseWriter, r *http.Request, format store.Format, contentType string, enc encoding) int {
	start := time.Now()
	include, err := parseSelection(r.URL.RawQuery, h.exporter.Resources())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return http.StatusBadRequest
	}
	snapshot, err := h.exporter.Snapshot(format, include)
	if err != nil {
		notReady(w, err)
		return http.StatusServiceUnavailable
	}
	defer snapshot.Release()
	size, write := snapshot.Size, snapshot.WriteText
	if enc == gzipEncoding {
		size, write = snapshot.GzipSize, snapshot.WriteGzip
		w.Header().Set("Content-Encoding", string(gzipEncoding))
	}
	length := size()
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.FormatInt(length, 10))
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return http.StatusOK
	}
	// If this fails, the client left or was too slow. The server then closes the connection, after
	// fewer bytes than announced.
	err = write(w)
	h.record(Scrape{At: time.Now(), Seconds: time.Since(start).Seconds(), Bytes: length, Encoding: string(enc), Complete: err == nil})
	return http.StatusOK
}

func (h *metricsHandler) record(s Scrape) {
	h.log.add(s)
	if !s.Complete {
		h.metrics.failures.Inc()
		return
	}
	h.metrics.seconds.WithLabelValues(s.Encoding).Observe(s.Seconds)
	h.metrics.bytes.WithLabelValues(s.Encoding).Observe(float64(s.Bytes))
}

// notReady responds with 503 and the reason.
func notReady(w http.ResponseWriter, reason error) {
	w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
	http.Error(w, reason.Error(), http.StatusServiceUnavailable)
}

// parseSelection reads the parameters resources and exclude_resources of a request, and returns which
// resources they select. Each may be repeated and may hold several names, separated by commas. A name
// must be known, so that a typing error in a scrape job fails instead of dropping series. Names of
// custom resources, which have dots, need not be known: their definitions come and go, and a job that
// excludes one must not fail.
func parseSelection(rawQuery string, known []string) (include func(resource string) bool, err error) {
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return nil, fmt.Errorf("query string: %w", err)
	}
	only, err := names(query, "resources", known)
	if err != nil {
		return nil, err
	}
	except, err := names(query, "exclude_resources", known)
	if err != nil {
		return nil, err
	}
	return func(resource string) bool {
		return !slices.Contains(except, resource) && (len(only) == 0 || slices.Contains(only, resource))
	}, nil
}

func names(query url.Values, parameter string, known []string) (list []string, err error) {
	for _, value := range query[parameter] {
		for name := range strings.SplitSeq(value, ",") {
			name = strings.TrimSpace(name)
			if name == "" {
				continue
			}
			if !slices.Contains(known, name) && !strings.Contains(name, ".") {
				return nil, fmt.Errorf("%s: %q is not exported; exported are %s", parameter, name, strings.Join(known, ", "))
			}
			list = append(list, name)
		}
	}
	return list, nil
}

// scrapeMetrics are the self-metrics of the metrics handler.
type scrapeMetrics struct {
	seconds  *prometheus.HistogramVec // encoding
	bytes    *prometheus.HistogramVec // encoding
	scrapes  *prometheus.CounterVec   // format, encoding, code
	failures prometheus.Counter
}

func newScrapeMetrics(r prometheus.Registerer) (*scrapeMetrics, error) {
	m := &scrapeMetrics{
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "statefleet_scrape_duration_seconds",
			Help:    "Time from the scrape request until its last byte was handed to the network, of complete scrapes.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"encoding"}),
		bytes: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "statefleet_scrape_body_bytes",
			Help:    "Size of the response body as sent, of complete scrapes.",
			Buckets: prometheus.ExponentialBuckets(1<<10, 4, 11), // 1 KiB to 1 GiB
		}, []string{"encoding"}),
		scrapes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "statefleet_scrapes_total",
			Help: "Scrape requests by negotiated format and encoding, and by status code.",
		}, []string{"format", "encoding", "code"}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "statefleet_scrape_write_errors_total",
			Help: "Scrapes that were not written completely: the client left or was too slow.",
		}),
	}
	return m, errors.Join(r.Register(m.seconds), r.Register(m.bytes), r.Register(m.scrapes), r.Register(m.failures))
}

func formatLabel(f store.Format) string {
	if f == store.OpenMetrics {
		return "openmetrics"
	}
	return "text"
}
