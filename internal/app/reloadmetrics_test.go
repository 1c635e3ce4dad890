package app

import (
	"net/http"
	"strings"
	"testing"

	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/internal/testing/exporter"
)

// gatedAPI serves a cluster, but answers requests for one resource only once the channel gate is closed.
func gatedAPI(t *testing.T, c *simulator.Cluster, resource string) (api string, gate chan struct{}) {
	t.Helper()
	handler := c.Handler()
	gate = make(chan struct{})
	return exporter.ServeAPI(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/"+resource) {
			select {
			case <-r.Context().Done():
				return
			case <-gate:
			}
		}
		handler.ServeHTTP(w, r)
	})), gate
}

// TestRefusalIsReportedAfterThePreviousConfigurationIsServed: a restart would fail with the current files, whatever
// happened to the previous ones.
func TestRefusalIsReportedAfterThePreviousConfigurationIsServed(t *testing.T) {
	c, _ := exporter.Cluster(t)
	flag := writeConfig(t, "resources: [jobs]\n")
	name := strings.TrimPrefix(flag, "--config=")
	api, gate := gatedAPI(t, c, "secrets")
	p := start(t, api, flag)
	p.Samples(t)
	wantSuccessful := func(successful string) {
		t.Helper()
		for _, want := range []string{
			"\nstatefleet_config_last_reload_successful " + successful + "\n",
			"\nkube_state_metrics_last_config_reload_successful{filename=\"" + name + "\",type=\"config\"} " + successful + "\n",
		} {
			if !strings.Contains(p.selfMetrics(t), want) {
				t.Errorf("the self-metrics lack %q", want)
			}
		}
	}
	writeFile(t, name, "resources: [jobs, secrets]\n")
	p.hangUp()
	exporter.Eventually(t, "a configuration is pending", func() bool {
		return strings.Contains(p.selfMetrics(t), "\nstatefleet_config_reload_pending 1\n")
	})
	writeFile(t, name, "resources: [jobs, sekrets]\n")
	p.hangUp()
	p.waitForReloads(t, refused, 1)
	close(gate)
	p.waitForReloads(t, served, 1)
	wantSuccessful("0")
	writeFile(t, name, "resources: [jobs, secrets]\n")
	p.waitForReloads(t, unchanged, 1)
	wantSuccessful("1")
}
