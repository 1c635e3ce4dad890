package e2e

import (
	"os"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// results names the environment variable with the path of the file that gets one line for each scenario. Without it, there is
// no TestAudit.
const results = "STATEFLEET_AUDIT"

// TestAudit plays every scenario, for as long as that takes. "make audit" runs it.
func TestAudit(t *testing.T) {
	path := os.Getenv(results)
	if path == "" {
		t.Skip("takes long: make audit runs it, and TestEndToEnd has a short form")
	}
	s := newWorld(t).newStage(t, func(*corev1.PodTemplateSpec) {})
	defer func() {
		if err := os.WriteFile(path, []byte(strings.Join(s.lines, "\n")+"\n"), 0o644); err != nil {
			t.Error(err)
		}
	}()
	s.playAll(t, scenarios())
}

// theFleetMovesAsOne is the short form: fewer scenarios, and pods that are asked more often whether they are ready.
func (w *world) theFleetMovesAsOne(t *testing.T) {
	s := w.newStage(t, func(pods *corev1.PodTemplateSpec) { pods.Spec.Containers[0].ReadinessProbe.PeriodSeconds = 1 })
	var short []scenario
	for _, sc := range scenarios() {
		if sc.short {
			short = append(short, sc)
		}
	}
	s.playAll(t, short)
}
