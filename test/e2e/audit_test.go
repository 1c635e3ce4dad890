package e2e

import (
	"os"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// auditFileVar names the environment variable with the path of the result file, which gets one line for each scenario.
// Without it, TestAudit is skipped.
const auditFileVar = "STATEFLEET_AUDIT"

// TestAudit runs every scenario. "make audit" runs it.
func TestAudit(t *testing.T) {
	path := os.Getenv(auditFileVar)
	if path == "" {
		t.Skip("takes half an hour: run it with make audit; TestEndToEnd runs a short form")
	}
	s := newWorld(t).newSetup(t, func(*corev1.PodTemplateSpec) {})
	defer func() {
		if err := os.WriteFile(path, []byte(strings.Join(s.lines, "\n")+"\n"), 0o644); err != nil {
			t.Error(err)
		}
	}()
	s.runScenarios(t, scenarios())
}

// scenariosKeepEveryObjectInOneExposition is the short form of TestAudit, with fewer scenarios and more frequent
// readiness probes.
func (w *world) scenariosKeepEveryObjectInOneExposition(t *testing.T) {
	s := w.newSetup(t, func(pods *corev1.PodTemplateSpec) { pods.Spec.Containers[0].ReadinessProbe.PeriodSeconds = 1 })
	var short []scenario
	for _, sc := range scenarios() {
		if sc.short {
			short = append(short, sc)
		}
	}
	s.runScenarios(t, short)
}
