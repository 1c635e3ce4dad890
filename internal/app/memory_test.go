package app

import (
	"runtime/debug"
	"strings"
	"testing"

	"github.com/statefleet/statefleet/internal/testing/exporter"
)

func TestGarbageIsCollectedMoreOftenOnceReady(t *testing.T) {
	collects := func(p *program, percent string) bool {
		_, self := p.Get(t, p.Telemetry, "/metrics")
		return strings.Contains(self, "\ngo_gc_gogc_percent "+percent+"\n")
	}
	waiting := start(t, "--apiserver=http://127.0.0.1:9")
	if !collects(waiting, "40") {
		t.Error("the percentage of a replica that is not ready is not 40")
	}
	waiting.End(t)
	_, api := exporter.Cluster(t)
	ready := start(t, api, "--resources=jobs")
	exporter.Eventually(t, "a percentage of 20", func() bool { return collects(ready, "20") })
}

func TestNoGarbageIsCollectedDuringALoad(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(77))
	if !withoutGC(func() bool { return debug.SetGCPercent(-1) == -1 }) {
		t.Error("garbage is collected during a load")
	}
	if got := debug.SetGCPercent(77); got != 77 {
		t.Errorf("the percentage after a load is %d, want 77", got)
	}
}
