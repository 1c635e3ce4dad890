package web

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// ServerMetrics are the metrics about the servers of a process. A nil pointer counts nothing.
type ServerMetrics struct {
	connections  *prometheus.GaugeVec
	closedIdle   *prometheus.CounterVec
	beyondLimit  *prometheus.CounterVec
	configLoaded *prometheus.GaugeVec
}

// NewServerMetrics registers the metrics with r.
func NewServerMetrics(r prometheus.Registerer) (*ServerMetrics, error) {
	m := &ServerMetrics{
		connections: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "statefleet_http_connections",
			Help: "Connections of clients that are open, by port.",
		}, []string{"port"}),
		closedIdle: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "statefleet_http_connections_closed_total",
			Help: "Connections closed to make room for others, because of --web.max-connections, " +
				"--web.max-connections-per-client or the limit on open files.",
		}, []string{"port"}),
		beyondLimit: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "statefleet_http_connections_beyond_limit_total",
			Help: "Connections beyond these limits while no other was idle. Only probes were answered on them.",
		}, []string{"port"}),
		configLoaded: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "statefleet_web_config_last_reload_successful",
			Help: "Whether the web configuration file as it was read last is in use, 1, or was refused, 0, by port.",
		}, []string{"port"}),
	}
	return m, errors.Join(
		r.Register(m.connections), r.Register(m.closedIdle), r.Register(m.beyondLimit), r.Register(m.configLoaded),
	)
}

// start shows zero for a server.
func (m *ServerMetrics) start(port string) {
	if m != nil {
		m.connections.WithLabelValues(port)
		m.closedIdle.WithLabelValues(port)
		m.beyondLimit.WithLabelValues(port)
	}
}

func (m *ServerMetrics) open(port string, more float64) {
	if m != nil {
		m.connections.WithLabelValues(port).Add(more)
	}
}

func (m *ServerMetrics) closed(port string) {
	if m != nil {
		m.closedIdle.WithLabelValues(port).Inc()
	}
}

func (m *ServerMetrics) beyond(port string) {
	if m != nil {
		m.beyondLimit.WithLabelValues(port).Inc()
	}
}

// configInUse shows whether the web configuration file as it was read last is in use.
func (m *ServerMetrics) configInUse(port string, yes bool) {
	if m == nil {
		return
	}
	value := 0.0
	if yes {
		value = 1
	}
	m.configLoaded.WithLabelValues(port).Set(value)
}
