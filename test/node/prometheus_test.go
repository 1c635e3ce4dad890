//go:build linux

package node

import (
	"log/slog"
	"testing"
	"time"

	"github.com/statefleet/statefleet/test/prometheus"
)

// TestPrometheusFindsTheFleet checks that a Prometheus with the scrape configuration and the rules as delivered
// discovers the pods of a fleet, sees each pod of the cluster once, evaluates all rules, and has no active alert.
func TestPrometheusFindsTheFleet(t *testing.T) {
	s := newSetup(t, 2)
	s.startLoad(t)
	s.install(t, "manifests/base")
	s.waitReady(t, 3)
	proxy, kubeconfig := s.startProxy(t)
	server := prometheus.Start(t, prometheus.Options{
		Kubeconfig: kubeconfig, Proxy: proxy, Interval: time.Second, Delay: time.Second, Rules: true, Log: slog.New(slog.DiscardHandler),
	})
	const twice = `count(count by (uid) (kube_pod_info) > 1) or vector(0)`
	want := map[string]float64{
		`count(up{job="kube-state-metrics", endpoint=""} == 1)`: 3, `count(up{endpoint="telemetry"} == 1)`: 3, twice: 0,
		`count(kube_pod_info{namespace="statefleet"})`: 3, `sum(statefleet_ready)`: 3,
	}
	for query, number := range want {
		if err := waitFor(time.Minute, func() bool { got, ok := queryValue(t, server, query); return ok && got == number }); err != nil {
			got, ok := queryValue(t, server, query)
			t.Errorf("%s: got %v (found: %t), want %v", query, got, ok, number)
		}
	}
	var evaluated, all int
	var err error
	if waitFor(time.Minute, func() bool { evaluated, all, err = server.RuleHealth(); return evaluated == all && all > 0 }) != nil {
		t.Errorf("got %d evaluated rules, want all of %d, and at least one: %v", evaluated, all, err)
	}
	// Alerts are active before the first scrape, because no replica seems to exist.
	if waitFor(time.Minute, func() bool { return len(server.Alerts()) == 0 }) != nil {
		t.Errorf("got active alerts %+v, want none", server.Alerts())
	}
}

// queryValue returns the current value of a query. ok is false unless the result is exactly one series.
func queryValue(t *testing.T, server *prometheus.Server, query string) (number float64, ok bool) {
	t.Helper()
	matrix, err := server.Matrix(t.Context(), query, time.Now(), time.Now(), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if len(matrix) != 1 || len(matrix[0].Floats) == 0 {
		return 0, false
	}
	return matrix[0].Floats[0].F, true
}
