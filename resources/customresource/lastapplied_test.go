package customresource

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/statefleet/statefleet/internal/wire"
	"github.com/statefleet/statefleet/resources"
)

// appliedObject has the annotation in its own metadata and, with an escaped slash in its name, in an object that it
// embeds.
const appliedObject = `{"metadata":{"name":"o","annotations":{"kubectl.kubernetes.io/last-applied-configuration":"secret","team":"x"}},
	"spec":{"manifests":[{"metadata":{"annotations":{"kubectl.kubernetes.io\/last-applied-configuration":"secret 7","team":"y"}}}]}}`

// The annotation must not be in any sample, whichever path leads to it, nor in the log.
func TestLastAppliedConfigurationIsNeverExported(t *testing.T) {
	f := func(metric string, want ...string) {
		t.Helper()
		logger, logged := logging(slog.LevelDebug)
		r := newRenderer(exampleGVK, mustParse(t, wrap("{name: x, "+metric+"}")).entries, resources.Filter{}, logger)
		var l resources.Lines
		if err := r.Render(wire.JSON, []byte(appliedObject), &l); err != nil {
			t.Fatal(err)
		}
		text := string(l.Buf) + strings.Join(logged(), "\n")
		if strings.Contains(text, "secret") || strings.Contains(text, "last") {
			t.Errorf("%s: got the annotation in %s", metric, text)
		}
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("%s: got %s, want %q in it", metric, text, w)
			}
		}
	}
	info := func(s string) string { return "each: {type: Info, info: {" + s + "}}" }
	f(info(`path: [metadata], labelsFromPath: {"annotation_*": [annotations]}`), `annotation_team="x"`)
	f(info(`path: [metadata, annotations], labelsFromPath: {"*": []}`), `team="x"`)
	f(info(`path: [metadata, annotations], labelsFromPath: {v: []}`), `v="map[team:x]"`, `v="x"`)
	f(info(`path: [metadata, annotations], labelFromKey: k`), `k="team"`)
	f(info(`labelsFromPath: {"*": [], all: [], meta: [metadata], annotations: [metadata, annotations]}`), `meta="map[annotations:map[team:x]`)
	f(info(`path: [spec, manifests], labelsFromPath: {"*": [metadata, annotations], m: []}`), `team="y"`)
	f(`labelsFromPath: {"m_*": [metadata, annotations], "*": [], all: []}, `+info(`labelsFromPath: {n: [metadata, name]}`), `m_team="x"`)
	f("each: {type: Gauge, gauge: {path: [metadata, annotations], labelFromKey: k, nilIsZero: true, valueFrom: [v]}}", `k="team"`)
	f("each: {type: Gauge, gauge: {path: [metadata], valueFrom: [annotations]}}", "can't be read as a number")
	f("each: {type: StateSet, stateSet: {path: [metadata, annotations], labelName: s, list: [done], labelsFromPath: {\"*\": []}, valueFrom: [team]}}", `team="x"`)
}
