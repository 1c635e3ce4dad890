//go:build linux

package node

import (
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/statefleet/statefleet/test/prometheus"
)

// TestPrometheusFindsTheFleet: with the scrape configuration and the rules as delivered, a Prometheus finds the pods
// of a fleet by their addresses, sees each pod of the cluster once, and no alert is about to fire.
func TestPrometheusFindsTheFleet(t *testing.T) {
	s := newSite(t, 2)
	s.startLoad(t)
	s.install(t, "manifests/base")
	s.waitReady(t, 3)
	proxy := httptest.NewServer(s.Proxy())
	t.Cleanup(proxy.Close)
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := s.WriteKubeconfig(kubeconfig, proxy.URL); err != nil {
		t.Fatal(err)
	}
	server := prometheus.Start(t, prometheus.Options{
		Kubeconfig: kubeconfig, Proxy: proxy.URL, Interval: time.Second, Delay: time.Second, Rules: true, Log: slog.New(slog.DiscardHandler),
	})
	const twice = `count(count by (uid) (kube_pod_info) > 1) or vector(0)`
	want := map[string]float64{
		`count(up{job="kube-state-metrics", endpoint=""} == 1)`: 3, `count(up{endpoint="telemetry"} == 1)`: 3, twice: 0,
		`count(kube_pod_info{namespace="statefleet"})`: 3, `sum(statefleet_ready)`: 3,
	}
	for query, number := range want {
		if err := waitFor(time.Minute, func() bool { got, ok := now(t, server, query); return ok && got == number }); err != nil {
			got, ok := now(t, server, query)
			t.Errorf("%s is %v (%v), want %v", query, got, ok, number)
		}
	}
	var evaluated, all int
	var err error
	if waitFor(time.Minute, func() bool { evaluated, all, err = server.RuleHealth(); return evaluated == all && all > 0 }) != nil {
		t.Errorf("%d of %d rules were evaluated: %v", evaluated, all, err)
	}
	// Before the first scrape there is no replica, as it seems.
	if waitFor(time.Minute, func() bool { return len(server.Alerts()) == 0 }) != nil {
		t.Errorf("alerts: %+v", server.Alerts())
	}
}

// now is the number of the only series of a query.
func now(t *testing.T, server *prometheus.Server, query string) (number float64, ok bool) {
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
