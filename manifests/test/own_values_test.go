package test

import (
	"bytes"
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	chart "helm.sh/helm/v4/pkg/chart/v2"
)

// TestEachOwnValueCounts checks the values that the kube-state-metrics chart does not have: another value must change
// what a file in chart/tests/values or the values below render, or a template must refuse it. A value that no template
// reads does neither.
func TestEachOwnValueCounts(t *testing.T) {
	inert := []string{"kubeTargetVersionOverride", "networkPolicy.cilium"} // accepted for compatibility
	c, files, theirs := load(t), valuesFiles(t), leaves(onDefaults(t), "")
	for name, text := range map[string]string{
		"switches": `{savedState: {enabled: true, persistence: {enabled: true}}, authFilter: {enabled: true},
			prometheus: {scrapeconfig: {enabled: true, authorization: {type: Bearer}}},
			prometheusRule: {enabled: true}, dashboard: {enabled: true}, verticalPodAutoscaler: {enabled: true}}`,
		"monitor": `{savedState: {enabled: true}, prometheus: {monitor: {enabled: true}}}`,
	} {
		files[name] = parseValues(t, text)
	}
	names := slices.SortedFunc(maps.Keys(files), func(a, b string) int { return len(files[b]) - len(files[a]) })
	before := map[string][]byte{}
	for _, name := range names {
		var err error
		if before[name], err = renderChart(c, files[name]); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	own, checked := leaves(values(t, filepath.Join(chartFolder, "values.yaml")), ""), 0
	for _, key := range slices.Sorted(maps.Keys(own)) {
		if _, ok := theirs[key]; ok {
			continue
		}
		checked++
		counts := slices.ContainsFunc(otherValues(t, c, key, own[key]), func(v any) bool {
			return slices.ContainsFunc(names, func(name string) bool {
				after, err := renderChart(c, with(t, files[name], key, v))
				return err != nil || !bytes.Equal(before[name], after)
			})
		})
		if counts == slices.Contains(inert, key) {
			t.Errorf("%s: another value changes what is rendered: %t, want %t", key, counts, !counts)
		}
	}
	if checked < 20 {
		t.Errorf("checked %d values, want at least 20", checked)
	}
}

// with returns a copy of values with one more.
func with(t *testing.T, given map[string]any, key string, v any) map[string]any {
	t.Helper()
	set := map[string]any{}
	if given != nil { // as that of an empty file is
		text, err := json.Marshal(given)
		if err != nil {
			t.Fatal(err)
		}
		set = parseValues(t, string(text))
	}
	put(set, key, v)
	return set
}

// otherValues returns values that the schema allows instead of a default.
func otherValues(t *testing.T, c *chart.Chart, key string, v any) []any {
	t.Helper()
	return slices.DeleteFunc(candidates(v), func(other any) bool {
		_, err := renderChart(c, with(t, map[string]any{}, key, other))
		return err != nil && strings.Contains(err.Error(), "schema")
	})
}

// candidates returns values of the same type as a default.
func candidates(v any) []any {
	object := map[string]any{"name": "other", "namespace": "other"}
	switch v := v.(type) {
	case bool:
		return []any{!v}
	case float64:
		return []any{v + 1}
	case string:
		return []any{"other", "/other", "1Gi", "1m", "minimal", "RequestsOnly", "ServiceMonitor"}
	case []any:
		return []any{[]any{"other"}, []any{8443}, []any{object},
			[]any{map[string]any{"name": "other"}}, []any{map[string]any{"resources": []any{"pods"}}}}
	}
	return []any{
		map[string]any{"enabled": true}, map[string]any{"interval": "1m"}, map[string]any{"type": "OnDelete"}, object,
	}
}
