package test

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// TestKubePrometheusStackSelectsTheExample checks that the PodMonitor has the release of kube-prometheus-stack as its
// label. releaseLabel would set that of statefleet.
func TestKubePrometheusStackSelectsTheExample(t *testing.T) {
	all, _ := recipe(t, example(t, "kube-prometheus-stack/statefleet.yaml"))
	if got := find[*monitoringv1.PodMonitor](t, all, "statefleet").Labels["release"]; got != "kube-prometheus-stack" {
		t.Errorf("got release=%s, want kube-prometheus-stack", got)
	}
}

// TestAgentSelectsTheExample checks that the PrometheusAgent is valid and selects the PodMonitor in any namespace.
func TestAgentSelectsTheExample(t *testing.T) {
	agent := readStrictly[monitoringv1alpha1.PrometheusAgent](t, filepath.Join(examples, "prometheus-agent/agent.yaml"))
	all, _ := recipe(t, example(t, "prometheus-agent/statefleet.yaml"))
	selector, err := metav1.LabelSelectorAsSelector(agent.Spec.PodMonitorSelector)
	if err != nil {
		t.Fatal(err)
	}
	own := find[*monitoringv1.PodMonitor](t, all, "statefleet").Labels
	if selector.Empty() || !selector.Matches(labels.Set(own)) || agent.Spec.PodMonitorNamespaceSelector == nil {
		t.Errorf("got selector %s, want one for %v in all namespaces", selector, own)
	}
}

// relabeling is one relabeling step. Both operators have the same field names.
type relabeling struct {
	Action       string
	SourceLabels []string
	TargetLabel  string
	Replacement  string
	Regex        string
}

// TestVMPodScrapeRelabelsAsThePodMonitorDoes checks that both set the same labels, for both jobs.
func TestVMPodScrapeRelabelsAsThePodMonitorDoes(t *testing.T) {
	for _, job := range []string{"kube-state-metrics", "statefleet"} {
		given := example(t, "victoriametrics-operator/statefleet.yaml")
		monitor := given["prometheus"].(map[string]any)["monitor"].(map[string]any)
		monitor["job"] = job
		_, others := recipe(t, given)
		if len(others) != 1 || others[0].Kind != "VMPodScrape" {
			t.Fatalf("got other objects %v, want one VMPodScrape", others)
		}
		if _, ok := monitor["enabled"]; ok {
			t.Error("the example sets prometheus.monitor.enabled, want no PodMonitor in addition")
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
				t.Error("got honorLabels false, want true")
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("job %s: PodMonitor (-) and VMPodScrape (+):\n%s", job, diff)
		}
	}
}

// convert converts a value to another type through JSON.
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

// TestManagedPrometheusKeepsTheLabelsOfObjects checks that monitoring does not overwrite the labels of series. The job
// is the name of the monitoring objects, labels about the scraped pod are off, and the object for /metrics is
// cluster-scoped, so that it sets no namespace.
func TestManagedPrometheusKeepsTheLabelsOfObjects(t *testing.T) {
	all, others := recipe(t, example(t, "google-managed-prometheus/statefleet.yaml"))
	labels := workload(t, all).Spec.Template.Labels
	ports := map[string]string{}
	for _, o := range others {
		if o.Metadata.Name != "kube-state-metrics" {
			t.Errorf("%s: got name %s, want the job kube-state-metrics", o.Kind, o.Metadata.Name)
		}
		for _, e := range o.Spec["endpoints"].([]any) {
			ports[e.(map[string]any)["port"].(string)] = o.Kind
		}
		target := o.Spec["targetLabels"].(map[string]any)
		if metadata, ok := target["metadata"].([]any); !ok || len(metadata) > 0 {
			t.Errorf("%s: got metadata labels %v, want none", o.Kind, target["metadata"])
		}
		for _, from := range convert[[]struct{ From, To string }](t, target["fromPod"]) {
			if got := labels[from.From]; from.To != "endpoint" || got != "telemetry" {
				t.Errorf("%s: got %s=%q from the pod, want endpoint=telemetry", o.Kind, from.To, got)
			}
		}
	}
	want := map[string]string{"http-metrics": "ClusterPodMonitoring", "telemetry": "PodMonitoring"}
	if !maps.Equal(ports, want) {
		t.Errorf("got kinds %v by port, want %v", ports, want)
	}
}

// TestAlloyFindsTheExample checks that the labels select the pods, and that the discovery rules have the syntax of
// Alloy and set instance and endpoint.
func TestAlloyFindsTheExample(t *testing.T) {
	all, _ := recipe(t, example(t, "k8s-monitoring/statefleet.yaml"))
	set := workload(t, all)
	scrape := convert[struct {
		LabelMatchers       map[string]string
		Namespace           string
		DiscoveryType       string
		ExtraDiscoveryRules string
		JobLabel            string
	}](t, example(t, "k8s-monitoring/k8s-monitoring.yaml")["clusterMetrics"].(map[string]any)["kube-state-metrics"])
	checkSelected(t, set.Spec.Template, scrape.LabelMatchers)
	if scrape.Namespace != set.Namespace || scrape.DiscoveryType != "pod" || scrape.JobLabel != otherJob {
		t.Errorf("got %+v, want pods in the namespace of the fleet and the job of k8s-monitoring", scrape)
	}
	const text = `(?:action|regex|replacement|separator|target_label) += "[^"]*"`
	const list = `source_labels += \["[^"]+"\]`
	form := regexp.MustCompile(`^(?:rule \{\n(?:  (?:` + text + `|` + list + `)\n)+\}\n)+$`)
	if !form.MatchString(scrape.ExtraDiscoveryRules) {
		t.Errorf("the discovery rules do not have the syntax of Alloy:\n%s", scrape.ExtraDiscoveryRules)
	}
	for _, label := range []string{"instance", "endpoint"} {
		if !regexp.MustCompile(`target_label +=  ?"` + label + `"`).MatchString(scrape.ExtraDiscoveryRules) {
			t.Errorf("no discovery rule sets the label %s", label)
		}
	}
}

// TestDatadogReadsTheExample checks that the annotation refers to the existing container and port, and to existing
// metrics.
func TestDatadogReadsTheExample(t *testing.T) {
	all, _ := recipe(t, example(t, "datadog/statefleet.yaml"))
	template := workload(t, all).Spec.Template
	container := template.Spec.Containers[0]
	var check map[string]any
	annotation := template.Annotations["ad.datadoghq.com/"+container.Name+".checks"]
	if err := json.Unmarshal([]byte(annotation), &check); err != nil {
		t.Fatalf("annotations %v: %v", template.Annotations, err)
	}
	if err := foreign(t, "datadog-openmetrics").check("", check); err != nil {
		t.Error(err)
	}
	instance := check["openmetrics"].(map[string]any)["instances"].([]any)[0].(map[string]any)
	want := fmt.Sprintf("http://%%%%host%%%%:%d/metrics", container.Ports[0].ContainerPort)
	if got := instance["openmetrics_endpoint"]; got != want {
		t.Errorf("got openmetrics_endpoint %s, want %s", got, want)
	}
	reference := readFile(t, "../../docs/metrics.md")
	names := regexp.MustCompile("(?m)^\\| `(kube_\\w+)`").FindAllStringSubmatch(reference, -1)
	for _, pattern := range convert[[]string](t, instance["metrics"]) {
		if !slices.ContainsFunc(names, func(n []string) bool { return regexp.MustCompile(pattern).MatchString(n[1]) }) {
			t.Errorf("no metric in docs/metrics.md matches %s", pattern)
		}
	}
}

// TestKustomizeExampleBuilds checks that the example has an additional argument, the namespace kube-system, and the job
// statefleet.
func TestKustomizeExampleBuilds(t *testing.T) {
	all := build(t, "examples/kustomize")
	set := workload(t, all)
	args := set.Spec.Template.Spec.Containers[0].Args
	const argument = "--metric-labels-allowlist=nodes=[topology.kubernetes.io/zone]"
	if set.Namespace != "kube-system" || !slices.Contains(args, argument) {
		t.Errorf("got namespace %s, arguments %q; want kube-system and the additional argument", set.Namespace, args)
	}
	if err := checkSubjects(all); err != nil {
		t.Error(err)
	}
	for _, e := range find[*monitoringv1.PodMonitor](t, all, "statefleet").Spec.PodMetricsEndpoints {
		if got := jobOf(e.RelabelConfigs); got != "statefleet" {
			t.Errorf("port %s: got job %q, want statefleet", *e.Port, got)
		}
	}
}

// jobOf returns the job that relabelings set, or "".
func jobOf(steps []monitoringv1.RelabelConfig) (job string) {
	for _, step := range steps {
		if step.TargetLabel == "job" && step.Replacement != nil {
			job = *step.Replacement
		}
	}
	return job
}
