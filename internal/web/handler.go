// Package web serves HTTP: the exposition, health paths, the self-metrics of the process.
//
// [Handler] is for the port that Prometheus scrapes. It negotiates format and encoding, and writes a
// [Snapshot] of an [Exporter]. It fails closed: an exporter that is not ready is answered with 503
// and the reason, because alerts notice a target that is down, but not missing series. A response
// that ends early is shorter than its Content-Length, so that no client takes it for complete.
//
// [TelemetryHandler] serves the self-metrics. Both ports have the same health paths:
//
//	/healthz  the process is alive
//	/livez    the same; independent of the API server, because an outage must not restart the fleet
//	/readyz   the replica holds its part; otherwise 503 and the reason. A ready replica whose shard
//	          another one serves still answers scrapes with 503
//
// [AuthFilter] restricts a handler, except for the health paths, to callers that the API server
// authenticates and authorizes.
//
// [Server] serves a handler on listeners. Its [ConfigFile] has TLS and basic authentication, in the
// format that all Prometheus exporters share.
package web

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/url"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Options configure the handlers of both ports.
type Options struct {
	// Version is shown on the landing page of the main port; empty: none.
	Version string
	// MaxRequests limits the concurrent requests for metrics on each port. Requests above it get 503.
	// Zero means no limit.
	MaxRequests int
	// Profiling adds the profiles of the Go runtime, below /debug/pprof/, to the telemetry port. They
	// reveal internals of the process and cost CPU.
	Profiling bool
	// Scrapes records the scrapes; may be nil.
	Scrapes *ScrapeLog
	// StatusPage is the first page of the telemetry port, and gets all paths that begin with /-/fleet.
	// [TelemetryHandler] requires it.
	StatusPage http.Handler
	// TelemetryPort is where the main port redirects to for the status page.
	TelemetryPort int
}

// statusPath is the path of the status page. The main port redirects from there to the telemetry port.
const statusPath = "/-/fleet"

// Handler returns the handler of the port that is scraped, with its landing page. It registers its
// self-metrics with r; a second handler on one registry is an error.
func Handler(e Exporter, r prometheus.Registerer, o Options) (http.Handler, error) {
	metrics, err := newScrapeMetrics(r)
	if err != nil {
		return nil, fmt.Errorf("metrics of scrapes: %w", err)
	}
	if o.Scrapes == nil {
		o.Scrapes = new(ScrapeLog)
	}
	scrapes, err := limitConcurrency(&metricsHandler{exporter: e, metrics: metrics, log: o.Scrapes}, o.MaxRequests, r, "metrics")
	if err != nil {
		return nil, fmt.Errorf("metrics of scrapes: %w", err)
	}
	page, err := landingPage(o)
	if err != nil {
		return nil, err
	}
	mux := newMux(scrapes, e)
	mux.Handle("GET /{$}", page)
	mux.Handle("GET "+statusPath, redirectToPort(o.TelemetryPort))
	return mux, nil
}

// TelemetryHandler returns the handler of the port for self-metrics, those of r, with the status
// page. It logs errors of gathering metrics.
func TelemetryHandler(e Exporter, r *prometheus.Registry, log *slog.Logger, o Options) (http.Handler, error) {
	gather := promhttp.HandlerFor(r, promhttp.HandlerOpts{
		ErrorLog:          newLimitedLog(log, slog.LevelError).logger(),
		EnableOpenMetrics: true,
	})
	scrapes, err := limitConcurrency(gather, o.MaxRequests, r, "telemetry")
	if err != nil {
		return nil, fmt.Errorf("metrics of scrapes: %w", err)
	}
	mux := newMux(scrapes, e)
	for _, path := range []string{"/{$}", statusPath, statusPath + "/"} {
		mux.Handle("GET "+path, o.StatusPage)
	}
	if o.Profiling {
		addProfiles(mux)
	}
	return mux, nil
}

// newMux routes the paths that both ports have. Patterns with GET also admit HEAD, and 405 is the
// response to other methods.
func newMux(metrics http.Handler, e Exporter) *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	mux.HandleFunc("GET /healthz", writeOK)
	mux.HandleFunc("GET /livez", writeOK)
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := e.Ready(); err != nil {
			notReady(w, err)
			return
		}
		writeOK(w, r)
	})
	return mux
}

// isProbe reports whether a path is a health path, which needs no authentication: kubelets have none.
func isProbe(path string) bool { return path == "/healthz" || path == "/livez" || path == "/readyz" }

func writeOK(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, "ok\n") // a client that left needs no response
}

// addProfiles adds the profiles of the Go runtime. Package pprof also registers them with
// http.DefaultServeMux, which no server here uses.
func addProfiles(mux *http.ServeMux) {
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("POST /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
}

// redirectToPort redirects browsers to another port of the same host.
func redirectToPort(port int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		host := (&url.URL{Host: r.Host}).Hostname()
		to := url.URL{Scheme: "http", Host: net.JoinHostPort(host, strconv.Itoa(port)), Path: "/"}
		if r.TLS != nil {
			to.Scheme = "https"
		}
		http.Redirect(w, r, to.String(), http.StatusTemporaryRedirect)
	}
}
