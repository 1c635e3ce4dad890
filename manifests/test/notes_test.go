package test

import (
	"strings"
	"testing"
)

// TestNotesSayWhatPrometheusMisses checks that the notes mention the label that kube-prometheus-stack selects, that
// alerts need statefleet's own metrics, and that the image or the Services differ from the values.
func TestNotesSayWhatPrometheusMisses(t *testing.T) {
	const (
		every    = "Prometheus has to scrape every pod"
		missing  = "has no label \"release\""
		set      = "prometheus.monitor.additionalLabels.release=kube-prometheus-stack"
		labelled = "has the label release="
		warning  = "WARNING: selfMonitor.enabled=false"
		image    = "WARNING: the values name the image of the kube-state-metrics chart. The pods have"
		own      = "Each replica has a Service with an address of its own, "
	)
	for given, want := range map[string][]string{
		`{}`: {every},
		`{prometheus: {monitor: {enabled: true}}}`:                                                {"The PodMonitor " + missing, set},
		`{prometheus: {monitor: {enabled: true, kind: ServiceMonitor}}}`:                          {"The ServiceMonitor " + missing, set},
		`{prometheus: {monitor: {enabled: true, additionalLabels: {release: prom}}}}`:             {"The PodMonitor " + labelled + "prom."},
		`{prometheus: {monitor: {enabled: true}}, customLabels: {release: prom}}`:                 {labelled + "prom."},
		`{prometheus: {monitor: {enabled: true, kind: ServiceMonitor}}, releaseLabel: true}`:      {labelled + "statefleet."},
		`{prometheus: {monitor: {enabled: true}}, selfMonitor: {enabled: false}}`:                 {missing, set, warning},
		`{selfMonitor: {enabled: false}}`:                                                         {every, warning},
		`{prometheus: {scrapeconfig: {enabled: true}}}`:                                           {"The ScrapeConfig " + missing, "prometheus.scrapeconfig.additionalLabels.release="},
		`{image: {registry: registry.k8s.io, repository: kube-state-metrics/kube-state-metrics}}`: {every, image + "\nstatefleet:v" + load(t).Metadata.AppVersion + " instead"},
		`{service: {type: NodePort}}`:                                                             {every, own + "statefleet-0"},
		`{selectorOverride: {a: b, c: d}}`:                                                        {every, "get pods -l a=b,c=d\n"},
	} {
		text := notes(t, given)
		for _, phrase := range append([]string{every, missing, set, labelled, warning, image, own}, want...) {
			wanted := false
			for _, w := range want {
				wanted = wanted || strings.Contains(w, phrase)
			}
			if strings.Contains(text, phrase) != wanted {
				t.Errorf("%s: want %q in the notes: %t, got\n%s", given, phrase, wanted, text)
			}
		}
	}
}
