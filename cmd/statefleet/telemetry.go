package main

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	versions "github.com/prometheus/client_golang/prometheus/collectors/version"
)

// newRegistry returns a registry with the metrics of the Go runtime, the process and the build. The build is there under
// kube-state-metrics' name too, for the dashboards that show it.
func newRegistry() (*prometheus.Registry, error) {
	r := prometheus.NewRegistry()
	return r, errors.Join(
		r.Register(collectors.NewGoCollector()),
		r.Register(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})),
		r.Register(versions.NewCollector("statefleet")),
		r.Register(versions.NewCollector("kube_state_metrics")),
	)
}
