package chart

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// Files with the defaults of the kube-state-metrics chart, and with the effect of its keys here, which manifests/test
// proves.
const (
	ksmVersion  = "8.4.0"
	ksmDefaults = "../test/testdata/ksm-chart-" + ksmVersion + ".yaml"
	ksmKeys     = "../test/testdata/ksm-chart-" + ksmVersion + "-keys.yaml"
)

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

// fromKSM returns the section of the README for users of the kube-state-metrics chart.
func fromKSM(t *testing.T, own map[string]any) string {
	t.Helper()
	var defaults map[string]any
	if err := yaml.UnmarshalStrict(read(t, ksmDefaults), &defaults); err != nil {
		t.Fatal(err)
	}
	var keys map[string]struct{ Refused, Same string }
	if err := yaml.Unmarshal(read(t, ksmKeys), &keys); err != nil {
		t.Fatal(err)
	}
	var refused, same, differ []string
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		switch k := keys[key]; {
		case k.Refused != "":
			refused = append(refused, key)
		case k.Same != "":
			same = append(same, key)
		}
	}
	theirs := leaves(defaults, "")
	for _, key := range slices.Sorted(maps.Keys(theirs)) {
		if row := difference(key, theirs[key], own); row != "" {
			differ = append(differ, row)
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Of the %d values of that chart in version %s, %d take effect, %d make the rendering fail with a\n"+
		"message, and %d changes nothing. `TestEachValueOfKubeStateMetricsCounts` sets each of them.\n\n",
		len(theirs), ksmVersion, len(keys)-len(refused)-len(same), len(refused), len(same))
	b.WriteString("| Value | |\n| --- | --- |\n")
	var probes, proxy []string
	for _, key := range refused {
		switch {
		case strings.HasSuffix(key, ".successThreshold"):
			probes = append(probes, key)
		case strings.HasPrefix(key, "kubeRBACProxy."):
			proxy = append(proxy, key)
		default:
			t.Errorf("fromKSM has no reason why %s is refused", key)
		}
	}
	fmt.Fprintf(&b, "| `%s` | With `kubeRBACProxy.enabled: true` the rendering fails: `authFilter.enabled` "+
		"checks the same tokens without a proxy. With `false`, the other values change nothing in either chart. |\n",
		strings.Join(proxy, "`, `"))
	fmt.Fprintf(&b, "| `%s` | The rendering fails for values other than 1, because Kubernetes allows no other. |\n",
		strings.Join(probes, "`, `"))
	for _, key := range same {
		fmt.Fprintf(&b, "| `%s` | Changes nothing: %s. |\n", key, keys[key].Same)
	}
	b.WriteString("\nThese defaults differ. A copy of all values of that chart sets its defaults, except for maps, which\n" +
		"Helm merges: `resources: {}` and `podDisruptionBudget: {}` keep the defaults of this chart, and\n" +
		"`null` removes them.\n\n" +
		"| Value | kube-state-metrics chart | here |\n| --- | --- | --- |\n")
	b.WriteString(strings.Join(differ, ""))
	return b.String()
}

// difference returns a row of the table of defaults, or "" if the defaults are equal.
func difference(key string, theirs any, own map[string]any) string {
	ours, set := lookup(own, key)
	if strings.HasPrefix(key, "kubeRBACProxy.") || reflect.DeepEqual(theirs, ours) || set && empty(theirs) && empty(ours) {
		return ""
	}
	here := "not set"
	switch {
	case set:
		here = code(ours)
	case empty(theirs), kubernetesHas(key, theirs):
		return ""
	case strings.HasSuffix(key, ".honorLabels"):
		here = "that of `prometheus.monitor.honorLabels`, `true`"
	case strings.HasSuffix(key, ".enableHttp2"):
		here = "not set: that of Prometheus, `true`"
	}
	there := code(theirs)
	if key == "collectors" {
		there, here = fmt.Sprintf("%d kinds", len(theirs.([]any))),
			"`[]`: these, and the kinds of admission policies and their bindings"
	}
	return fmt.Sprintf("| `%s` | %s | %s |\n", key, there, here)
}

func code(v any) string {
	text, _ := json.Marshal(v) // a value that was decoded from YAML can be encoded as JSON
	return "`" + string(text) + "`"
}

// empty reports whether a default means that nothing is set. A bool never does, because an unset one may mean true.
func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	case float64:
		return v == 0
	}
	return false
}

// kubernetesHas reports whether the value of a probe's field is the default of Kubernetes.
func kubernetesHas(key string, v any) bool {
	_, field, _ := strings.Cut(key, "Probe.")
	known, ok := map[string]any{"failureThreshold": 3.0, "successThreshold": 1.0, "periodSeconds": 10.0,
		"httpGet.scheme": "http"}[field]
	return ok && known == v
}

// TestKindsThatTheReadmeAdds checks that the default kinds are those of the kube-state-metrics chart and those that the
// README mentions.
func TestKindsThatTheReadmeAdds(t *testing.T) {
	var defaults struct{ Collectors []string }
	if err := yaml.Unmarshal(read(t, ksmDefaults), &defaults); err != nil {
		t.Fatal(err)
	}
	var kinds map[string]struct{ Default bool }
	if err := yaml.Unmarshal(read(t, "files/kinds.yaml"), &kinds); err != nil {
		t.Fatal(err)
	}
	for _, name := range defaults.Collectors {
		if !kinds[name].Default {
			t.Errorf("%s is not exposed by default", name)
		}
	}
	for name, kind := range kinds {
		if kind.Default && !slices.Contains(defaults.Collectors, name) && !strings.Contains(name, "admissionpolic") {
			t.Errorf("%s is exposed by default only here, and the README does not mention it", name)
		}
	}
}
