package customresource

import (
	"strings"
	"testing"
)

// The warnings are given when the configuration is read.
func TestMetricsWithoutIdentityAreWarnedAbout(t *testing.T) {
	f := func(metric string, shared bool) {
		t.Helper()
		c := mustParse(t, wrap("{name: x, "+metric+"}"))
		const want = "spec.resources[0].metrics[0].name (line 4): kube_customresource_x has no label that identifies the object; "
		got := strings.Join(c.Warnings(), "\n")
		if strings.HasPrefix(got, want) != shared || !shared && got != "" {
			t.Errorf("%s: got the warnings %q, want a warning: %t", metric, got, shared)
		}
	}
	const g = "each: {type: Gauge, gauge: {path: [spec, n]}}"
	f(g, true)
	f("commonLabels: {name: a}, labelsFromPath: {name: [spec, name], ns: [metadata, namespace]}, "+g, true)
	f("labelsFromPath: {name: [metadata, name]}, "+g, false)
	f("labelsFromPath: {u: [metadata, uid]}, "+g, false)
	f(`labelsFromPath: {"m_*": [metadata]}, `+g, false)
	f(`labelsFromPath: {"*": [metadata, labels]}, `+g, true)
	f("labelsFromPath: {n: [metadata, name=a]}, "+g, true)
	f("each: {type: Info, info: {path: [metadata], labelsFromPath: {object: [name]}}}", false)
	f("each: {type: Info, info: {labelsFromPath: {object: [metadata, name]}}}", false)
	f("each: {type: Info, info: {path: [metadata, ownerReferences], labelsFromPath: {u: [uid]}}}", true)
	// A label that is replaced does not identify the object.
	f("labelsFromPath: {name: [metadata, name]}, each: {type: Gauge, gauge: {path: [spec], labelsFromPath: {name: [name]}}}", true)
	f("labelsFromPath: {name: [metadata, name]}, each: {type: Gauge, gauge: {path: [spec], labelFromKey: name}}", true)
	f("labelsFromPath: {s: [metadata, name]}, each: {type: StateSet, stateSet: {path: [spec, n], labelName: s, list: [a]}}", true)
}

// The log names metrics without the namespace once, as soon as definitions show which kinds are namespaced.
func TestMetricsOfNamespacedKindsNeedTheNamespace(t *testing.T) {
	a, client := newAPI(t)
	a.put("a.example.com", "as", "A", "Namespaced", "v1")
	a.put("a.example.com", "cs", "C", "Cluster", "v1")
	f := startWatcher(t, client, entryOf("*", "A", "labelsFromPath: {name: [metadata, name]}", "x")+
		entryOf("*", "C", "labelsFromPath: {name: [metadata, name]}", "y")+
		entryOf("*", "A", "labelsFromPath: {name: [metadata, name], ns: [metadata, namespace]}", "z"))
	f.wantNext("as.v1.a.example.com namespaced, cs.v1.a.example.com")
	a.put("a.example.com", "as", "A", "Namespaced", "v1", "v2")
	f.wantNext("as.v1.a.example.com namespaced, as.v2.a.example.com namespaced, cs.v1.a.example.com")
	const want = `but not their namespace`
	log := f.log.String()
	if strings.Count(log, want) != 1 || !strings.Contains(log, `configured="spec.resources[0].metrics[0].name (line 6)" metric=x resource=as.v1.a.example.com`) {
		t.Errorf("want one log line about metric x; the log is\n%s", log)
	}
}
