package manifest_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/test/manifest"
	"github.com/statefleet/statefleet/test/seed"
)

// TestClusterRoleReadsEveryKindAndOnlyReads does not check for further kinds. The test of the generator does.
func TestClusterRoleReadsEveryKindAndOnlyReads(t *testing.T) {
	role := find[rbacv1.ClusterRole](t, manifest.Base, "ClusterRole")
	granted := map[schema.GroupResource]bool{}
	for _, rule := range role.Rules {
		if len(rule.APIGroups) != 1 || !slices.IsSorted(rule.Resources) {
			t.Errorf("got rule %v, want one API group and sorted resources", rule)
		}
		if !slices.Equal(rule.Verbs, []string{"list", "watch"}) {
			t.Errorf("%v: got verbs %v, want list and watch", rule.Resources, rule.Verbs)
		}
		for _, resource := range rule.Resources {
			granted[schema.GroupResource{Group: rule.APIGroups[0], Resource: resource}] = true
		}
	}
	for _, kind := range seed.Kinds() {
		if !granted[kind.GroupResource()] {
			t.Errorf("the ClusterRole does not grant %s", kind.GroupResource())
		}
	}
}

func TestStatefulSetIsAFleet(t *testing.T) {
	set := find[appsv1.StatefulSet](t, manifest.Base, "StatefulSet")
	service := find[corev1.Service](t, manifest.Base, "Service")
	container := set.Spec.Template.Spec.Containers[0]
	if *set.Spec.Replicas != 3 || set.Spec.PodManagementPolicy != appsv1.ParallelPodManagement {
		t.Errorf("got %d replicas, %s; want 3, Parallel", *set.Spec.Replicas, set.Spec.PodManagementPolicy)
	}
	if service.Name != set.Spec.ServiceName || service.Spec.ClusterIP != corev1.ClusterIPNone || service.Spec.PublishNotReadyAddresses {
		t.Errorf("got Service %s for serviceName %s: %+v; want a headless Service with ready pods only",
			service.Name, set.Spec.ServiceName, service.Spec)
	}
	for _, arg := range []string{"--pod=$(POD_NAME)", "--pod-namespace=$(POD_NAMESPACE)"} {
		if !slices.Contains(container.Args, arg) {
			t.Errorf("got arguments %v, want %s among them", container.Args, arg)
		}
	}
	if path := container.LivenessProbe.HTTPGet.Path; path != "/livez" {
		t.Errorf("got liveness probe %s, want /livez, which does not depend on the API server", path)
	}
	if path := container.ReadinessProbe.HTTPGet.Path; path != "/readyz" {
		t.Errorf("got readiness probe %s, want /readyz", path)
	}
}

// podMonitor and scrapeConfig have the fields that determine the labels of targets.
type podMonitor struct {
	Spec struct {
		PodMetricsEndpoints []struct {
			Port        string `json:"port"`
			HonorLabels bool   `json:"honorLabels"`
			Relabelings []rule `json:"relabelings"`
		} `json:"podMetricsEndpoints"`
	} `json:"spec"`
}

type scrapeConfig struct {
	ScrapeConfigs []struct {
		JobName        string `json:"job_name"`
		HonorLabels    bool   `json:"honor_labels"`
		RelabelConfigs []rule `json:"relabel_configs"`
	} `json:"scrape_configs"`
}

// discovered returns the labels that Prometheus' pod discovery sets for one port of a replica.
func discovered(port string, change map[string]string) map[string]string {
	labels := map[string]string{
		"__address__":                                        "10.0.0.7:8080",
		"__meta_kubernetes_namespace":                        "statefleet",
		"__meta_kubernetes_pod_name":                         "statefleet-1",
		"__meta_kubernetes_pod_phase":                        "Running",
		"__meta_kubernetes_pod_container_port_name":          port,
		"__meta_kubernetes_pod_label_app_kubernetes_io_name": "statefleet",
		"instance": "10.0.0.7:8080",
		"job":      "statefleet",
	}
	maps.Copy(labels, change)
	return labels
}

func TestScrapeConfigKeepsTheInstanceStable(t *testing.T) {
	var config scrapeConfig
	readYAML(t, "manifests/prometheus/scrape-config.yaml", &config)
	if len(config.ScrapeConfigs) != 2 {
		t.Fatalf("got %d scrape configs, want 2: one for each port", len(config.ScrapeConfigs))
	}
	ports := []string{"http-metrics", "telemetry"}
	extra := []map[string]string{{}, {"endpoint": "telemetry"}}
	for i, scrape := range config.ScrapeConfigs {
		if !scrape.HonorLabels {
			t.Errorf("%s: got honor_labels false, want true", scrape.JobName)
		}
		want := map[string]string{"instance": "statefleet-1", "job": "kube-state-metrics"}
		maps.Copy(want, extra[i])
		if got := relabel(t, scrape.RelabelConfigs, discovered(ports[i], nil)); !maps.Equal(got, want) {
			t.Errorf("%s: got labels %v, want %v", scrape.JobName, got, want)
		}
		for _, other := range []map[string]string{
			{"__meta_kubernetes_pod_container_port_name": ports[1-i]},
			{"__meta_kubernetes_pod_label_app_kubernetes_io_name": "other"},
			{"__meta_kubernetes_pod_phase": "Pending"},
			{"__meta_kubernetes_pod_phase": "Succeeded"},
		} {
			if got := relabel(t, scrape.RelabelConfigs, discovered(ports[i], other)); got != nil {
				t.Errorf("%s: target with %v: got labels %v, want a dropped target", scrape.JobName, other, got)
			}
		}
	}
}

func TestPodMonitorKeepsTheInstanceStable(t *testing.T) {
	monitor := find[podMonitor](t, manifest.PrometheusOperator, "PodMonitor")
	extra := map[string]map[string]string{"http-metrics": {}, "telemetry": {"endpoint": "telemetry"}}
	if len(monitor.Spec.PodMetricsEndpoints) != len(extra) {
		t.Fatalf("got %d endpoints, want %d", len(monitor.Spec.PodMetricsEndpoints), len(extra))
	}
	for _, endpoint := range monitor.Spec.PodMetricsEndpoints {
		if !endpoint.HonorLabels {
			t.Errorf("%s: got honorLabels false, want true", endpoint.Port)
		}
		// The operator sets these before the monitor's own relabelings.
		labels := discovered(endpoint.Port, map[string]string{
			"namespace": "statefleet", "pod": "statefleet-1", "container": "statefleet", "endpoint": endpoint.Port,
		})
		want := map[string]string{"instance": "statefleet-1", "job": "kube-state-metrics"}
		maps.Copy(want, extra[endpoint.Port])
		if got := relabel(t, endpoint.Relabelings, labels); !maps.Equal(got, want) {
			t.Errorf("%s: got labels %v, want %v", endpoint.Port, got, want)
		}
	}
}

// find decodes the only object of a kind in a kustomization.
func find[T any](t *testing.T, folder, kind string) (out T) {
	t.Helper()
	objects, err := manifest.Build(folder)
	if err != nil {
		t.Fatal(err)
	}
	index := slices.IndexFunc(objects, func(o *unstructured.Unstructured) bool { return o.GetKind() == kind })
	if index < 0 {
		t.Fatalf("no %s in %s", kind, folder)
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(objects[index].Object, &out); err != nil {
		t.Fatalf("%s in %s: %v", kind, folder, err)
	}
	return out
}

func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	root, err := fleet.Root()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	if data, err = yaml.YAMLToJSONStrict(data); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}
