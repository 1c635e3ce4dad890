package test

import (
	"strings"
	"testing"
)

// TestNotesSayWhatPrometheusMisses: which label a Prometheus of kube-prometheus-stack selects, and that its alerts need
// statefleet's own metrics.
func TestNotesSayWhatPrometheusMisses(t *testing.T) {
	const (
		every    = "Prometheus has to scrape every pod"
		missing  = "has no label \"release\""
		set      = "prometheus.monitor.additionalLabels.release=kube-prometheus-stack"
		labelled = "has the label release="
		warning  = "WARNING: selfMonitor.enabled=false"
	)
	for given, want := range map[string][]string{
		`{}`: {every},
		`{prometheus: {monitor: {enabled: true}}}`:                                           {"The PodMonitor " + missing, set},
		`{prometheus: {monitor: {enabled: true, kind: ServiceMonitor}}}`:                     {"The ServiceMonitor " + missing, set},
		`{prometheus: {monitor: {enabled: true, additionalLabels: {release: prom}}}}`:        {"The PodMonitor " + labelled + "prom."},
		`{prometheus: {monitor: {enabled: true}}, customLabels: {release: prom}}`:            {labelled + "prom."},
		`{prometheus: {monitor: {enabled: true, kind: ServiceMonitor}}, releaseLabel: true}`: {labelled + "statefleet."},
		`{prometheus: {monitor: {enabled: true}}, selfMonitor: {enabled: false}}`:            {missing, set, warning},
		`{selfMonitor: {enabled: false}}`:                                                    {every, warning},
	} {
		text := notes(t, given)
		for _, phrase := range append([]string{every, missing, set, labelled, warning}, want...) {
			wanted := false
			for _, w := range want {
				wanted = wanted || strings.Contains(w, phrase)
			}
			if strings.Contains(text, phrase) != wanted {
				t.Errorf("%s: %q is wanted: %t, in\n%s", given, phrase, wanted, text)
			}
		}
	}
}
