package web

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// scrapeMetrics are the numbers about serving the page.
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
			Help:    "Time from a request for the page to its last byte handed to the network, of pages served whole.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"encoding"}),
		bytes: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "statefleet_scrape_body_bytes",
			Help:    "Size of the pages served whole, as sent.",
			Buckets: prometheus.ExponentialBuckets(1<<10, 4, 11), // 1 KiB to 1 GiB
		}, []string{"encoding"}),
		scrapes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "statefleet_scrapes_total",
			Help: "Requests for the page by what was negotiated and by status code of the answer.",
		}, []string{"format", "encoding", "code"}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "statefleet_scrape_write_errors_total",
			Help: "Pages that were not written to their end: the client left or was too slow.",
		}),
	}
	return m, errors.Join(r.Register(m.seconds), r.Register(m.bytes), r.Register(m.scrapes), r.Register(m.failures))
}
