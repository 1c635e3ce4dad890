package customresource

import (
	"fmt"
	"strings"
	"testing"

	"github.com/statefleet/statefleet/resources"
)

func TestFamiliesWhoseLabelsDoNotIdentifyTheObject(t *testing.T) {
	gauge := func(more string) string { return "each: {type: Gauge, gauge: {path: [spec]" + more + "}}" }
	const (
		uid      = "labelsFromPath: {id: [metadata, uid]}, "
		both     = "labelsFromPath: {ns: [metadata, namespace], name: [metadata, name]}, "
		nameOnly = "labelsFromPath: {name: [metadata, name]}, "
		ofObject = "each: {type: Gauge, gauge: {valueFrom: [spec, n], labelsFromPath: {id: [metadata, uid]}}}"
		state    = "each: {type: StateSet, stateSet: {path: [status], labelName: %s, list: [a]}}"
	)
	for _, c := range []struct {
		metric              string
		namespaced, cluster bool // whether objects of such a kind may share series
	}{
		{gauge(""), true, true},
		{uid + gauge(""), false, false},
		{both + gauge(""), false, false},
		{nameOnly + gauge(""), true, false},
		{"labelsFromPath: {ns: [metadata, namespace]}, " + gauge(""), true, true},
		{ofObject, false, false},
		// Labels with such names that do not contain the object's values.
		{"labelsFromPath: {name: [spec, name], namespace: [spec, namespace], uid: [spec, uid]}, " + gauge(""), true, true},
		{"labelsFromPath: {uid: [metadata, labels, uid]}, " + gauge(""), true, true},
		{"commonLabels: {uid: a}, " + gauge(""), true, true},
		{"labelsFromPath: {'*': [metadata]}, " + gauge(""), true, true},
		{gauge(", labelsFromPath: {uid: [metadata, uid]}"), true, true},                    // of spec
		{"each: {type: Info, info: {labelsFromPath: {uid: [metadata, uid]}}}", true, true}, // of the members as well
		// Labels that are replaced by others.
		{uid + gauge(", labelsFromPath: {id: [x]}"), true, true},
		{uid + gauge(", labelsFromPath: {'*': [x]}"), true, true},
		{uid + gauge(", labelFromKey: id"), true, true},
		{uid + fmt.Sprintf(state, "id"), true, true},
		{uid + fmt.Sprintf(state, "s"), false, false},
		{"labelsFromPath: {customresource_kind: [metadata, uid]}, " + gauge(""), true, true},
		{"labelsFromPath: {id: [metadata, uid], '*': [spec, labels]}, " + gauge(""), false, false}, // a single path wins over a map
		// Several metrics of one family.
		{both + gauge("") + "}, {name: x, " + both + gauge(""), false, false},
		{both + gauge("") + "}, {name: x, " + gauge(""), true, true},
		{both + gauge("") + "}, {name: x, " + uid + gauge(""), true, true},
	} {
		config := mustParse(t, "spec:\n  resources:\n  - groupVersionKind: {group: a.example.com, version: v1, kind: A}\n    metrics: [{name: x, "+c.metric+"}]\n")
		kinds := config.Kinds([]Definition{{Group: "a.example.com", Kind: "A", Plural: "as", Versions: []string{"v1"}}}, resources.Filter{}, silent())
		for namespaced, want := range map[bool]bool{true: c.namespaced, false: c.cluster} {
			if got := len(kinds[0].Renderer.SharedFamilies(namespaced)) == 1; got != want {
				t.Errorf("%s\nnamespaced %t: got shared %t, want %t", c.metric, namespaced, got, want)
			}
		}
	}
}

func TestSharedFamiliesReturnsIndexes(t *testing.T) {
	config := mustParse(t, entryOf("v1", "A", "labelsFromPath: {id: [metadata, uid]}", "x")+entryOf("v1", "A", "", "y")+
		entryOf("v1", "A", "labelsFromPath: {id: [metadata, uid]}", "z"))
	kinds := config.Kinds([]Definition{{Group: "a.example.com", Kind: "A", Plural: "as", Versions: []string{"v1"}}}, resources.Filter{}, silent())
	if got := kinds[0].Renderer.SharedFamilies(true); len(got) != 1 || got[0] != 1 {
		t.Errorf("got the families %v, want [1]", got)
	}
}

// To Prometheus an empty label is the same as a missing one.
func TestEmptyLabelsDoNotDistinguishSamples(t *testing.T) {
	config := wrap(`{name: x, each: {type: Info, info: {path: [a], labelsFromPath: {n: [n], o: [o]}}}}`)
	many := make([]string, 1000)
	for i := range many {
		many[i] = fmt.Sprintf(`{"n":"%d"},{"n":"%d","o":""}`, i, i)
	}
	for _, c := range []struct {
		items   string
		want    string // the labels of the first and the last sample
		samples int
		skipped int
	}{
		{`{"n":"p"},{"n":"p","o":""},{"n":"q"}`, `n="p"|n="q"`, 2, 1},
		{`{"n":"p","o":""},{"n":"p"}`, `n="p",o=""|n="p",o=""`, 1, 1},
		{`{"n":"","o":"p"},{"o":"p"},{"n":"p"}`, `n="",o="p"|n="p"`, 2, 1},
		{`{"n":""},{"o":""},{"n":"","o":""}`, `n=""|n=""`, 1, 2},
		{`{"n":"p,","o":""},{"n":"p,"},{"n":",}","o":""},{"n":",}"}`, `n="p,",o=""|n=",}",o=""`, 2, 2},
		{strings.Join(many, ","), `n="0"|n="999"`, 1000, 1000},
	} {
		text, skipped := render(t, config, `{"a":[`+c.items+`]}`)
		lines := strings.Split(strings.TrimSpace(text), "\n")
		first, last, _ := strings.Cut(c.want, "|")
		if len(lines) != c.samples || skipped != c.skipped || lines[0] != "x{"+first+"} 1" || lines[len(lines)-1] != "x{"+last+"} 1" {
			t.Errorf("%.100s: got %d samples from %s to %s and %d skipped, want %d from %s to %s and %d skipped",
				c.items, len(lines), lines[0], lines[len(lines)-1], skipped, c.samples, first, last, c.skipped)
		}
	}
}
