package test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// TestKubePrometheusStackSelectsTheExample: by the label of its release, which is what releaseLabel would get wrong.
func TestKubePrometheusStackSelectsTheExample(t *testing.T) {
	all, _ := recipe(t, example(t, "kube-prometheus-stack/statefleet.yaml"))
	if got := find[*monitoringv1.PodMonitor](t, all, "statefleet").Labels["release"]; got != "kube-prometheus-stack" {
		t.Errorf("the PodMonitor has release=%s", got)
	}
}

// TestAgentSelectsTheExample: the PrometheusAgent is valid, and selects the PodMonitor, of any namespace.
func TestAgentSelectsTheExample(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(examples, "prometheus-agent/agent.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var agent monitoringv1alpha1.PrometheusAgent
	if err := yaml.UnmarshalStrict(text, &agent); err != nil {
		t.Fatal(err)
	}
	all, _ := recipe(t, example(t, "prometheus-agent/statefleet.yaml"))
	selector, err := metav1.LabelSelectorAsSelector(agent.Spec.PodMonitorSelector)
	if err != nil {
		t.Fatal(err)
	}
	labels := find[*monitoringv1.PodMonitor](t, all, "statefleet").Labels
	if selector.Empty() || !selector.Matches(labelSet(labels)) || agent.Spec.PodMonitorNamespaceSelector == nil {
		t.Errorf("%s does not select %v", selector, labels)
	}
}

type labelSet map[string]string

func (l labelSet) Has(label string) bool              { _, ok := l[label]; return ok }
func (l labelSet) Get(label string) string            { return l[label] }
func (l labelSet) Lookup(label string) (string, bool) { v, ok := l[label]; return v, ok }

// relabeling is one step, in the words of either operator.
type relabeling struct {
	Action       string
	SourceLabels []string
	TargetLabel  string
	Replacement  string
	Regex        string
}

// TestVMPodScrapeRelabelsAsThePodMonitorDoes: series get the same labels, for both jobs.
func TestVMPodScrapeRelabelsAsThePodMonitorDoes(t *testing.T) {
	for _, job := range []string{"kube-state-metrics", "statefleet"} {
		given := example(t, "victoriametrics-operator/statefleet.yaml")
		monitor := given["prometheus"].(map[string]any)["monitor"].(map[string]any)
		monitor["job"] = job
		_, others := recipe(t, given)
		if len(others) != 1 || others[0].Kind != "VMPodScrape" {
			t.Fatalf("objects %v", others)
		}
		if _, ok := monitor["enabled"]; ok {
			t.Error("a PodMonitor would be scraped, too")
		}
		monitor["enabled"] = true
		all, _ := recipe(t, given)
		want := [][]relabeling{}
		for _, e := range find[*monitoringv1.PodMonitor](t, all, "statefleet").Spec.PodMetricsEndpoints {
			want = append(want, convert[[]relabeling](t, e.RelabelConfigs))
		}
		got := [][]relabeling{}
		for _, e := range others[0].Spec["podMetricsEndpoints"].([]any) {
			got = append(got, convert[[]relabeling](t, e.(map[string]any)["relabelConfigs"]))
			if e.(map[string]any)["honorLabels"] != true {
				t.Error("honorLabels is not set")
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("job %s: PodMonitor (-) and VMPodScrape (+):\n%s", job, diff)
		}
	}
}

// convert reads a value as another type, by their JSON.
func convert[T any](t *testing.T, from any) (to T) {
	t.Helper()
	text, err := json.Marshal(from)
	if err == nil {
		err = json.Unmarshal(text, &to)
	}
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// TestManagedPrometheusKeepsTheLabelsOfObjects: the job is the name of the objects; what describes the page's pods is
// left out, and the page is selected by an object that has no namespace to set.
func TestManagedPrometheusKeepsTheLabelsOfObjects(t *testing.T) {
	all, others := recipe(t, example(t, "google-managed-prometheus/statefleet.yaml"))
	labels := find[*appsv1.StatefulSet](t, all, "statefleet").Spec.Template.Labels
	ports := map[string]string{}
	for _, o := range others {
		if o.Metadata.Name != "kube-state-metrics" {
			t.Errorf("%s has the name %s, which is the job", o.Kind, o.Metadata.Name)
		}
		for _, e := range o.Spec["endpoints"].([]any) {
			ports[e.(map[string]any)["port"].(string)] = o.Kind
		}
		target := o.Spec["targetLabels"].(map[string]any)
		if metadata, ok := target["metadata"].([]any); !ok || len(metadata) > 0 {
			t.Errorf("%s sets the labels %v", o.Kind, target["metadata"])
		}
		for _, from := range convert[[]struct{ From, To string }](t, target["fromPod"]) {
			if got := labels[from.From]; from.To != "endpoint" || got != "telemetry" {
				t.Errorf("%s sets %s=%q", o.Kind, from.To, got)
			}
		}
	}
	want := map[string]string{"http-metrics": "ClusterPodMonitoring", "telemetry": "PodMonitoring"}
	if !maps.Equal(ports, want) {
		t.Errorf("ports are selected by %v, want %v", ports, want)
	}
}

// TestAlloyFindsTheExample: the labels select the pods; the rules have the form that Alloy reads, and tell ports apart.
func TestAlloyFindsTheExample(t *testing.T) {
	all, _ := recipe(t, example(t, "k8s-monitoring/statefleet.yaml"))
	set := find[*appsv1.StatefulSet](t, all, "statefleet")
	scrape := convert[struct {
		LabelMatchers       map[string]string
		Namespace           string
		DiscoveryType       string
		ExtraDiscoveryRules string
		JobLabel            string
	}](t, example(t, "k8s-monitoring/k8s-monitoring.yaml")["clusterMetrics"].(map[string]any)["kube-state-metrics"])
	checkSelected(t, set.Spec.Template, scrape.LabelMatchers)
	if scrape.Namespace != set.Namespace || scrape.DiscoveryType != "pod" || scrape.JobLabel != otherJob {
		t.Errorf("%+v", scrape)
	}
	const text = `(?:action|regex|replacement|separator|target_label) += "[^"]*"`
	const list = `source_labels += \["[^"]+"\]`
	form := regexp.MustCompile(`^(?:rule \{\n(?:  (?:` + text + `|` + list + `)\n)+\}\n)+$`)
	if !form.MatchString(scrape.ExtraDiscoveryRules) {
		t.Errorf("these are no rules of Alloy:\n%s", scrape.ExtraDiscoveryRules)
	}
	for _, set := range []string{"instance", "endpoint"} {
		if !regexp.MustCompile(`target_label +=  ?"` + set + `"`).MatchString(scrape.ExtraDiscoveryRules) {
			t.Errorf("no rule sets %s", set)
		}
	}
}

// TestDatadogReadsTheExample: the annotation is of the container that is there, names its port, and metrics that exist.
func TestDatadogReadsTheExample(t *testing.T) {
	all, _ := recipe(t, example(t, "datadog/statefleet.yaml"))
	template := find[*appsv1.StatefulSet](t, all, "statefleet").Spec.Template
	container := template.Spec.Containers[0]
	var check map[string]any
	annotation := template.Annotations["ad.datadoghq.com/"+container.Name+".checks"]
	if err := json.Unmarshal([]byte(annotation), &check); err != nil {
		t.Fatalf("%v in %v", err, template.Annotations)
	}
	if err := foreign(t, "datadog-openmetrics").check("", check); err != nil {
		t.Error(err)
	}
	instance := check["openmetrics"].(map[string]any)["instances"].([]any)[0].(map[string]any)
	want := fmt.Sprintf("http://%%%%host%%%%:%d/metrics", container.Ports[0].ContainerPort)
	if got := instance["openmetrics_endpoint"]; got != want {
		t.Errorf("reads %s, the page is %s", got, want)
	}
	reference, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile("(?m)^\\| `(kube_\\w+)`").FindAllStringSubmatch(string(reference), -1)
	for _, pattern := range convert[[]string](t, instance["metrics"]) {
		if !slices.ContainsFunc(names, func(n []string) bool { return regexp.MustCompile(pattern).MatchString(n[1]) }) {
			t.Errorf("no metric matches %s", pattern)
		}
	}
}

// TestKustomizeExampleBuilds: with an argument of the user, in the namespace of the example that it replaces, under a
// job of its own.
func TestKustomizeExampleBuilds(t *testing.T) {
	all := build(t, "examples/kustomize")
	set := find[*appsv1.StatefulSet](t, all, "statefleet")
	args := set.Spec.Template.Spec.Containers[0].Args
	const argument = "--metric-labels-allowlist=nodes=[topology.kubernetes.io/zone]"
	if set.Namespace != "kube-system" || !slices.Contains(args, argument) {
		t.Errorf("namespace %s, arguments %q", set.Namespace, args)
	}
	if err := checkSubjects(all); err != nil {
		t.Error(err)
	}
	for _, e := range find[*monitoringv1.PodMonitor](t, all, "statefleet").Spec.PodMetricsEndpoints {
		if got := jobOf(e.RelabelConfigs); got != "statefleet" {
			t.Errorf("port %s has the job %q", *e.Port, got)
		}
	}
}

// jobOf is the job that relabelings set.
func jobOf(steps []monitoringv1.RelabelConfig) (job string) {
	for _, step := range steps {
		if step.TargetLabel == "job" && step.Replacement != nil {
			job = *step.Replacement
		}
	}
	return job
}
