package test

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

const examples = "../examples"

// other is an object of a kind that decode does not support.
type other struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Metadata   metav1.ObjectMeta `json:"metadata"`
	Spec       map[string]any    `json:"spec"`
}

// formats are the API groups of other objects. testdata/foreign has their fields.
var formats = []string{"operator.victoriametrics.com", "monitoring.googleapis.com"}

// recipe renders the chart with values, decodes the objects that decode supports, and checks the fields of the others.
func recipe(t *testing.T, given map[string]any) (objects, []other) {
	t.Helper()
	text, err := render(t, given)
	if err != nil {
		t.Fatal(err)
	}
	var own strings.Builder
	var others []other
	for document := range strings.SplitSeq(string(text), "\n---\n") {
		group := regexp.MustCompile(`(?m)^apiVersion: ([a-z.]+)/`).FindStringSubmatch(document)
		if group == nil || !slices.Contains(formats, group[1]) {
			own.WriteString("---\n" + document + "\n")
			continue
		}
		var o other
		if err := yaml.UnmarshalStrict([]byte(document), &o); err != nil {
			t.Fatalf("%v:\n%s", err, document)
		}
		if err := foreign(t, group[1]).check("spec", o.Spec); err != nil {
			t.Errorf("%s %s: %v", o.Kind, o.Metadata.Name, err)
		}
		others = append(others, o)
	}
	return decode(t, []byte(own.String())), others
}

func example(t *testing.T, path string) map[string]any {
	t.Helper()
	return values(t, filepath.Join(examples, path))
}

// TestExamplesRender renders the chart with the values of each recipe. Selectors must match the pods of the fleet, and
// ports must exist.
func TestExamplesRender(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(examples, "*/statefleet.yaml"))
	if err != nil || len(files) < 7 {
		t.Fatalf("got examples %q, error %v; want at least 7", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(filepath.Dir(file)), func(t *testing.T) {
			all, others := recipe(t, values(t, file))
			checkNames(t, all)
			set := workload(t, all).Spec.Template
			if image := set.Spec.Containers[0].Image; !strings.HasPrefix(image, "registry.example/statefleet:v") {
				t.Errorf("got image %s, want one in registry.example", image)
			}
			for _, o := range others {
				text, err := json.Marshal(o.Spec)
				if err != nil {
					t.Fatal(err)
				}
				var spec struct {
					Selector                       metav1.LabelSelector
					PodMetricsEndpoints, Endpoints []struct{ Port string }
				}
				if err := json.Unmarshal(text, &spec); err != nil {
					t.Fatal(err)
				}
				checkSelected(t, set, spec.Selector.MatchLabels)
				ports := append(spec.PodMetricsEndpoints, spec.Endpoints...)
				for _, e := range ports {
					checkPort(t, set, e.Port)
				}
				if len(ports) == 0 {
					t.Errorf("%s: got no port, want at least one", o.Kind)
				}
			}
		})
	}
}

func checkSelected(t *testing.T, pod corev1.PodTemplateSpec, labels map[string]string) {
	t.Helper()
	if len(labels) == 0 {
		t.Error("got an empty selector, want labels")
	}
	for label, value := range labels {
		if pod.Labels[label] != value {
			t.Errorf("got selector %s=%s, but pods have the value %q", label, value, pod.Labels[label])
		}
	}
}

func checkPort(t *testing.T, pod corev1.PodTemplateSpec, name string) {
	t.Helper()
	if !slices.ContainsFunc(pod.Spec.Containers[0].Ports, func(p corev1.ContainerPort) bool { return p.Name == name }) {
		t.Errorf("got port %q, which the pod does not have", name)
	}
}

// TestExamplesOfOtherChartsUseExistingValues checks values for other charts, because those charts ignore unknown ones.
func TestExamplesOfOtherChartsUseExistingValues(t *testing.T) {
	checked := []string{}
	for file, format := range map[string]string{
		"kube-prometheus-stack/stack.yaml":    "kube-prometheus-stack",
		"k8s-monitoring/k8s-monitoring.yaml":  "k8s-monitoring",
		"victoriametrics-operator/stack.yaml": "victoria-metrics-k8s-stack",
	} {
		checked = append(checked, filepath.Join(examples, file))
		if err := foreign(t, format).check("", example(t, file)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	files, err := filepath.Glob(filepath.Join(examples, "*/*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		known := []string{"statefleet.yaml", "kustomization.yaml", "agent.yaml"}
		kind := filepath.Base(filepath.Dir(file)) == "kind" // see kind_test.go
		if !kind && !slices.Contains(checked, file) && !slices.Contains(known, filepath.Base(file)) {
			t.Errorf("no test checks %s", file)
		}
	}
}
