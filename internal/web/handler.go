package web

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	toolkit "github.com/prometheus/exporter-toolkit/web"
)

// Handler returns the handler of the port that is scraped: the page of metrics, the health paths and a landing page. Its
// self-metrics are registered with r; a second handler on the same registry is an error.
func Handler(e Exporter, r prometheus.Registerer, o Options) (http.Handler, error) {
	metrics, err := newScrapeMetrics(r)
	if err != nil {
		return nil, fmt.Errorf("metrics about scrapes: %w", err)
	}
	rejected, err := newRejected(r, "metrics")
	if err != nil {
		return nil, fmt.Errorf("metrics about scrapes: %w", err)
	}
	page := limitConcurrency(&metricsHandler{exporter: e, metrics: metrics}, o.MaxRequests, rejected)
	landing := toolkit.LandingConfig{
		Description: "Metrics about the state of Kubernetes objects, one shard of a fleet",
		Version:     o.Version,
		Profiling:   "false",
	}
	if o.FleetPort != 0 {
		landing.Links = []toolkit.LandingLinks{fleetLink(o.FleetPort)}
	}
	mux, err := newMux(page, e, landing, "the metrics of this shard's objects", nil)
	if err == nil && o.FleetPort != 0 {
		mux.Handle("GET "+fleetPath, redirectToPort(o.FleetPort))
	}
	return mux, err
}

// TelemetryHandler returns the handler of the port for metrics about the process itself, those of r, with the same
// health paths as [Handler], and the fleet page or else a landing page. What goes wrong while gathering is logged.
func TelemetryHandler(e Exporter, r *prometheus.Registry, log *slog.Logger, o Options) (http.Handler, error) {
	rejected, err := newRejected(r, "telemetry")
	if err != nil {
		return nil, fmt.Errorf("metrics about scrapes: %w", err)
	}
	page := promhttp.HandlerFor(r, promhttp.HandlerOpts{
		ErrorLog:          newLimitedLog(log, slog.LevelError).logger(),
		EnableOpenMetrics: true,
	})
	mux, err := newMux(limitConcurrency(page, o.MaxRequests, rejected), e, toolkit.LandingConfig{
		Description: "Metrics about statefleet itself",
		Version:     o.Version,
		Profiling:   strconv.FormatBool(o.Profiling),
	}, "the metrics of this process", o.Fleet)
	if err != nil {
		return nil, err
	}
	if o.Profiling {
		addProfiles(mux)
	}
	return mux, nil
}

// newMux routes what both ports have in common. Patterns with GET admit HEAD too and answer 405 to every other method. home stands
// in place of the landing page, unless it is nil.
func newMux(metrics http.Handler, e Exporter, landing toolkit.LandingConfig, what string, home http.Handler) (*http.ServeMux, error) {
	landing.Name = "statefleet"
	landing.Links = append(landing.Links,
		toolkit.LandingLinks{Address: "/metrics", Text: "Metrics", Description: what},
		toolkit.LandingLinks{Address: "/readyz", Text: "Ready", Description: "whether the metrics are complete and served"},
		toolkit.LandingLinks{Address: "/livez", Text: "Live", Description: "whether the process is alive"},
	)
	page, err := toolkit.NewLandingPage(landing)
	if err != nil {
		return nil, fmt.Errorf("landing page: %w", err)
	}
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
	if home == nil {
		mux.Handle("GET /{$}", page)
		return mux, nil
	}
	for _, path := range []string{"/{$}", fleetPath, fleetPath + "/"} {
		mux.Handle("GET "+path, home)
	}
	return mux, nil
}

func writeOK(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, "ok\n") // a client that left needs no answer
}
