package main

import (
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// numbers are what the fleet page takes from the metrics about the process itself.
type numbers struct {
	resident int64           // bytes; 0 where the system does not tell
	started  time.Time       // zero where it does not
	refused  bool            // the web configuration file
	sharded  map[string]bool // by kind: whether the API server shards; those that are not known are not there
}

// selfNumbers reads them. What cannot be gathered is missing.
func selfNumbers(g prometheus.Gatherer) numbers {
	n := numbers{sharded: map[string]bool{}}
	families, _ := g.Gather() // an error is about single metrics; the telemetry port shows and logs it
	for _, f := range families {
		for _, m := range f.GetMetric() {
			n.take(f.GetName(), m)
		}
	}
	return n
}

func (n *numbers) take(name string, m *dto.Metric) {
	value := m.GetGauge().GetValue()
	switch name {
	case "process_resident_memory_bytes":
		n.resident = int64(value)
	case "process_start_time_seconds":
		whole, part := math.Modf(value)
		n.started = time.Unix(int64(whole), int64(part*1e9))
	case "statefleet_web_config_last_reload_successful":
		n.refused = n.refused || value == 0
	case "statefleet_watch_sharded_by_server":
		for _, l := range m.GetLabel() {
			if l.GetName() == "resource" {
				n.sharded[l.GetValue()] = value == 1
			}
		}
	}
}
