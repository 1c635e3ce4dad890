package app

import (
	"net/http"
	"strings"
	"testing"

	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/internal/testing/exporter"
)

// gated stands before a cluster and lets no one list or watch a resource before the gate is open.
func gated(t *testing.T, c *simulator.Cluster, resource string) (api string, gate chan struct{}) {
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

// TestRefusedConfigurationIsToldOnceTheOneBeforeIsServed: the files that are there would not start the program, whatever
// became of those before them.
func TestRefusedConfigurationIsToldOnceTheOneBeforeIsServed(t *testing.T) {
	c, _ := exporter.Cluster(t)
	flag := written(t, "resources: [jobs]\n")
	name := strings.TrimPrefix(flag, "--config=")
	api, gate := gated(t, c, "secrets")
	p := start(t, api, flag)
	p.Samples(t)
	shows := func(successful string) {
		t.Helper()
		for _, want := range []string{
			"\nstatefleet_config_last_reload_successful " + successful + "\n",
			"\nkube_state_metrics_last_config_reload_successful{filename=\"" + name + "\",type=\"config\"} " + successful + "\n",
		} {
			if !strings.Contains(p.self(t), want) {
				t.Errorf("the metrics lack %q", want)
			}
		}
	}
	writeFile(t, name, "resources: [jobs, secrets]\n")
	p.hangUp()
	exporter.Eventually(t, "a configuration is under way", func() bool {
		return strings.Contains(p.self(t), "\nstatefleet_config_reload_pending 1\n")
	})
	writeFile(t, name, "resources: [jobs, sekrets]\n")
	p.hangUp()
	p.reloads(t, refused, 1)
	close(gate)
	p.reloads(t, served, 1)
	shows("0")
	writeFile(t, name, "resources: [jobs, secrets]\n")
	p.reloads(t, unchanged, 1)
	shows("1")
}
