package manifest_test

import (
	"regexp"
	"strings"
	"testing"
)

// rule is one relabeling rule. It has the field names of Prometheus' configuration and those of the operator's API.
type rule struct {
	Action      string   `json:"action"`
	Source      []string `json:"source_labels"`
	Target      string   `json:"target_label"`
	Regex       string   `json:"regex"`
	Replacement string   `json:"replacement"`

	SourceLabels []string `json:"sourceLabels"`
	TargetLabel  string   `json:"targetLabel"`
}

// relabel returns the labels of a target after relabeling, or nil if the rules drop it. It implements the actions that
// the manifests use.
func relabel(t *testing.T, rules []rule, discovered map[string]string) map[string]string {
	t.Helper()
	labels := map[string]string{}
	for name, value := range discovered {
		labels[name] = value
	}
	for _, r := range rules {
		regex := regexp.MustCompile("^(?:" + or(r.Regex, "(.*)") + ")$")
		var values []string
		for _, name := range append(r.Source, r.SourceLabels...) {
			values = append(values, labels[name])
		}
		value := strings.Join(values, ";")
		switch r.Action {
		case "keep":
			if !regex.MatchString(value) {
				return nil
			}
		case "replace":
			if match := regex.FindStringSubmatchIndex(value); match != nil {
				labels[r.Target+r.TargetLabel] = string(regex.ExpandString(nil, or(r.Replacement, "$1"), value, match))
			}
		case "labeldrop":
			for name := range labels {
				if regex.MatchString(name) {
					delete(labels, name)
				}
			}
		default:
			t.Fatalf("got action %q, want keep, replace or labeldrop", r.Action)
		}
	}
	for name := range labels {
		if strings.HasPrefix(name, "__") {
			delete(labels, name)
		}
	}
	return labels
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
