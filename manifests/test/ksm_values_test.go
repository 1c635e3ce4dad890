package test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// Files with the defaults of the kube-state-metrics chart, and with the effect of each of its keys in this chart.
const (
	ksmDefaults = "testdata/ksm-chart-8.4.0.yaml"
	ksmKeys     = "testdata/ksm-chart-8.4.0-keys.yaml"
)

// expectation is the expected effect of a value that differs from the default: added or dropped lines, an error, or
// nothing (Same).
type expectation struct {
	Value   any            `json:"value"`
	With    map[string]any `json:"with"`
	Adds    string         `json:"adds"`
	Drops   string         `json:"drops"`
	Refused string         `json:"refused"`
	Same    string         `json:"same"`
}

func expectations(t *testing.T) map[string]expectation {
	t.Helper()
	return readStrictly[map[string]expectation](t, ksmKeys)
}

// leaves returns all values of a tree except maps that have keys, by path.
func leaves(tree map[string]any, prefix string) map[string]any {
	all := map[string]any{}
	for key, v := range tree {
		if sub, ok := v.(map[string]any); ok && len(sub) > 0 {
			maps.Copy(all, leaves(sub, prefix+key+"."))
			continue
		}
		all[prefix+key] = v
	}
	return all
}

// put sets the value at a path.
func put(tree map[string]any, path string, v any) {
	first, rest, nested := strings.Cut(path, ".")
	if !nested {
		tree[first] = v
		return
	}
	sub, ok := tree[first].(map[string]any)
	if !ok {
		sub = map[string]any{}
		tree[first] = sub
	}
	put(sub, rest, v)
}

// onDefaults returns the defaults of the kube-state-metrics chart with some values set.
func onDefaults(t *testing.T, set ...map[string]any) map[string]any {
	t.Helper()
	given := values(t, ksmDefaults)
	for _, more := range set {
		for path, v := range more {
			put(given, path, v)
		}
	}
	return given
}

func TestVerbatimValuesOfKubeStateMetricsRender(t *testing.T) {
	given := onDefaults(t)
	text, err := render(t, given)
	if err != nil {
		t.Fatal(err)
	}
	all := decode(t, text)
	checkNames(t, all)
	if image := pod(t, all).Containers[0].Image; image != "statefleet:v"+load(t).Metadata.AppVersion {
		t.Errorf("got image %s, want that of the chart", image)
	}
	copied, err := yaml.Marshal(given)
	if err != nil {
		t.Fatal(err)
	}
	const warning = "WARNING: the values name the image of the kube-state-metrics chart"
	if text := notes(t, string(copied)); !strings.Contains(text, warning) {
		t.Errorf("the notes do not warn about the ignored image:\n%s", text)
	}
}

// TestEachValueOfKubeStateMetricsCounts checks that a different value of each key changes the rendering, or is an error
// that names the key, or is known to change nothing.
func TestEachValueOfKubeStateMetricsCounts(t *testing.T) {
	c := load(t)
	defaults, known := leaves(onDefaults(t), ""), expectations(t)
	for key := range known {
		if _, ok := defaults[key]; !ok {
			t.Errorf("%s has %s, which the kube-state-metrics chart does not", ksmKeys, key)
		}
	}
	count, bases := map[string]int{}, map[string][]byte{}
	for _, key := range slices.Sorted(maps.Keys(defaults)) {
		want, ok := known[key]
		if !ok {
			t.Errorf("%s lacks %s", ksmKeys, key)
			continue
		}
		if _, overridden := want.With[key]; !overridden && fmt.Sprint(want.Value) == fmt.Sprint(defaults[key]) {
			t.Errorf("%s: got the default %v, want another value", key, want.Value)
		}
		after, refusal := renderChart(c, onDefaults(t, want.With, map[string]any{key: want.Value}))
		if want.Refused != "" {
			count["refused"]++
			if refusal == nil || !strings.Contains(refusal.Error(), want.Refused) || !names(want.Refused, key) {
				t.Errorf("%s=%v: got error %v, want %q and the key in it", key, want.Value, refusal, want.Refused)
			}
			continue
		}
		base := fmt.Sprint(want.With)
		before, err := bases[base], error(nil)
		if before == nil {
			before, err = renderChart(c, onDefaults(t, want.With))
			bases[base] = before
		}
		if err != nil || refusal != nil {
			t.Errorf("%s=%v: got error %v, without it error %v; want none", key, want.Value, refusal, err)
			continue
		}
		decode(t, after)
		added, dropped := differences(before, after)
		switch {
		case want.Same != "":
			count["same"]++
			if added+dropped != "" {
				t.Errorf("%s=%v: got changes, want none; adds\n%s\nand drops\n%s", key, want.Value, added, dropped)
			}
		case want.Adds+want.Drops == "" || !strings.Contains(added, want.Adds) || !strings.Contains(dropped, want.Drops):
			t.Errorf("%s=%v adds\n%s\nand drops\n%s\nwant %q and %q", key, want.Value, added, dropped, want.Adds, want.Drops)
		default:
			count["takes effect"]++
		}
	}
	t.Logf("of %d keys: %v", len(defaults), count)
}

// names reports whether a message names a key. It has the path of the key, or of the field enabled of its map.
func names(message, key string) bool {
	part, _, _ := strings.Cut(key, ".")
	return strings.Contains(strings.ReplaceAll(message, "/", "."), key) || strings.Contains(message, part+".enabled")
}

// differences returns the lines that only the second text has, and those that only the first one has, without
// indentation.
func differences(before, after []byte) (added, dropped string) {
	count := map[string]int{}
	var a, d []string
	for line := range strings.Lines(string(before)) {
		count[line]++
	}
	for line := range strings.Lines(string(after)) {
		if count[line]--; count[line] < 0 {
			a = append(a, strings.TrimSpace(line))
		}
	}
	for line, n := range count {
		if n > 0 {
			d = append(d, strings.TrimSpace(line))
		}
	}
	return strings.Join(a, "\n"), strings.Join(d, "\n")
}
