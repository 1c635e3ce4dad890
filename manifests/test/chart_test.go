package test

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	dependencies "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

const chartFolder = "../chart"

// valuesFiles returns the values in chart/tests/values, by the names of the files.
func valuesFiles(t *testing.T) map[string]map[string]any {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(chartFolder, "tests/values/*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatal("no values files:", err)
	}
	cases := map[string]map[string]any{}
	for _, file := range files {
		cases[strings.TrimSuffix(filepath.Base(file), ".yaml")] = values(t, file)
	}
	return cases
}

func values(t *testing.T, file string) map[string]any {
	t.Helper()
	return readStrictly[map[string]any](t, file)
}

// parseValues returns values that are given in YAML.
func parseValues(t *testing.T, text string) map[string]any {
	t.Helper()
	given := map[string]any{}
	if err := yaml.UnmarshalStrict([]byte(text), &given); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return given
}

// render does the same as "helm template statefleet manifests/chart --namespace statefleet".
func render(t *testing.T, given map[string]any) ([]byte, error) {
	t.Helper()
	return renderChart(load(t), given)
}

func load(t *testing.T) *chart.Chart {
	t.Helper()
	loaded, err := loader.Load(chartFolder)
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

// renderFiles returns all rendered files of a chart by name.
func renderFiles(c *chart.Chart, given map[string]any) (map[string]string, error) {
	if err := dependencies.ProcessDependencies(c, given); err != nil {
		return nil, err
	}
	release := common.ReleaseOptions{Name: "statefleet", Namespace: "statefleet", IsInstall: true, Revision: 1}
	all, err := util.ToRenderValues(c, given, release, common.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	return engine.Render(c, all)
}

// notes returns what Helm prints after an installation of the chart with these values.
func notes(t *testing.T, given string) string {
	t.Helper()
	files, err := renderFiles(load(t), parseValues(t, given))
	if err != nil {
		t.Fatalf("%s: %v", given, err)
	}
	return files["statefleet/templates/NOTES.txt"]
}

func renderChart(c *chart.Chart, given map[string]any) ([]byte, error) {
	files, err := renderFiles(c, given)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if filepath.Ext(name) == ".yaml" && !empty([]byte(files[name])) {
			b.WriteString("---\n" + strings.Trim(files[name], "\n") + "\n")
		}
	}
	return b.Bytes(), nil
}

// rendered returns the objects of the chart with these values.
func rendered(t *testing.T, given string) objects {
	t.Helper()
	return renderedWith(t, parseValues(t, given))
}

func renderedWith(t *testing.T, given map[string]any) objects {
	t.Helper()
	text, err := render(t, given)
	if err != nil {
		t.Fatalf("%v: %v", given, err)
	}
	return decode(t, text)
}

func TestChartLints(t *testing.T) {
	for name, given := range valuesFiles(t) {
		for _, message := range lint.RunAll(chartFolder, given, "statefleet").Messages {
			if message.Severity >= support.WarningSev {
				t.Errorf("%s: %s", name, message)
			}
		}
	}
}

// TestChartRenders renders the chart with each file of values, and compares the results with chart/tests/rendered. The
// rendered files are for reviews and for tests that apply them to an API server. -update writes them.
func TestChartRenders(t *testing.T) {
	for name, given := range valuesFiles(t) {
		t.Run(name, func(t *testing.T) {
			got, err := render(t, given)
			if err != nil {
				t.Fatal(err)
			}
			checkNames(t, decode(t, got))
			file := filepath.Join(chartFolder, "tests/rendered", name+".yaml")
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if readFile(t, file) != string(got) {
				t.Errorf("%s differs from the rendered chart; run make generate", file)
			}
		})
	}
}

// TestChartRefusesWhatItCannotDo checks that rendering fails with a message that names the value.
func TestChartRefusesWhatItCannotDo(t *testing.T) {
	for given, want := range map[string]string{
		`{autosharding: {enabled: false}, replicas: 2}`:                               "autosharding.enabled=false",
		`{autosharding: {enabled: false}, autoscaling: {enabled: true}, replicas: 1}`: "autosharding.enabled=false",
		`{standby: {enabled: true}, replicas: 1}`:                                     "standby.enabled=true needs 2 replicas or more, and replicas is 1",
		`{standby: {enabled: true}, autoscaling: {enabled: true, minReplicas: 1}}`:    "autoscaling.minReplicas is 1",
		`{metricAllowlist: [a], metricDenylist: [b]}`:                                 "metricAllowlist and metricDenylist",
		`{profile: minimal, metricDenylist: [b]}`:                                     "profile=minimal has an allowlist of metric families",
		`{profile: tiny}`:                                                                                       "/profile",
		`{rbac: {useClusterRole: false}}`:                                                                       "needs namespaces",
		`{rbac: {useClusterRole: false}, namespaces: " , "}`:                                                    "needs namespaces",
		`{rbac: {useClusterRole: false}, namespaces: a, collectors: [nodes]}`:                                   "nodes is cluster-scoped",
		`{collectors: [pod]}`:                                                                                   `unknown kind "pod"`,
		`{collectors: [pods], collectorsExclude: [pods]}`:                                                       "no kind is left",
		`{image: {repository: kube-state-metrics/kube-state-metrics}}`:                                          "not an image of statefleet",
		`{networkPolicy: {flavor: cilium}}`:                                                                     "networkPolicy.flavor=cilium",
		`{networkPolicy: {enabled: true}}`:                                                                      "needs networkPolicy.ingress",
		`{networkPolicy: {restrictEgress: true, apiServer: {ports: []}}}`:                                       "needs networkPolicy.apiServer.ports",
		`{prometheus: {monitor: {enabled: true, http: {bearerTokenFile: /token}}}}`:                             "a PodMonitor has no bearerTokenFile",
		`{readinessProbe: {httpGet: {scheme: ftp}}}`:                                                            "scheme",
		`{env: {GOGC: "50"}}`:                                                                                   "env",
		`{kubeRBACProxy: {enabled: true}}`:                                                                      "kubeRBACProxy.enabled=true is not supported",
		`{authFilter: {enabled: true, readers: [prometheus]}}`:                                                  "readers",
		`{authFilter: {enabled: true}, prometheus: {monitor: {enabled: true}}}`:                                 "a PodMonitor needs the token",
		`{prometheus: {monitor: {enabled: true}, scrapeconfig: {enabled: true}}}`:                               "prometheus.monitor.enabled and prometheus.scrapeconfig.enabled are both true",
		`{authFilter: {enabled: true}, prometheus: {scrapeconfig: {enabled: true}}}`:                            "set prometheus.scrapeconfig.authorization",
		`{rbac: {clusterRoleSelectors: [{matchLabels: {a: b}}], useExistingRole: own}}`:                         "rbac.clusterRoleSelectors needs a ClusterRole that the chart creates",
		`{kubeconfig: {enabled: true}}`:                                                                         "kubeconfig.enabled=true needs kubeconfig.secret",
		`{kubeconfig: {enabled: true, secret: "apiVersion: v1"}}`:                                               "/kubeconfig/secret",
		`{verticalPodAutoscaler: {enabled: true}, autoscaling: {enabled: true}}`:                                "verticalPodAutoscaler.enabled and autoscaling.enabled",
		`{service: {type: ExternalName}}`:                                                                       "/service/type",
		`{service: {type: NodePort}, autoscaling: {enabled: true}}`:                                             "service.type=NodePort",
		`{service: {nodePort: 30080}}`:                                                                          "service.nodePort and selfMonitor.telemetryNodePort need service.type",
		`{service: {loadBalancerIP: 192.0.2.1}}`:                                                                "need service.type=LoadBalancer",
		`{service: {type: NodePort, loadBalancerSourceRanges: [192.0.2.0/24]}}`:                                 "need service.type=LoadBalancer",
		`{service: {type: LoadBalancer, loadBalancerIP: 192.0.2.1}}`:                                            "service.loadBalancerIP=192.0.2.1 needs replicas=1",
		`{service: {clusterIP: 192.0.2.1}}`:                                                                     "service.clusterIP=192.0.2.1 needs replicas=1",
		`{service: {type: NodePort, clusterIP: None}}`:                                                          "service.clusterIP=None needs service.type=ClusterIP",
		`{service: {type: NodePort, nodePort: 30080}, selfMonitor: {telemetryNodePort: 30082}}`:                 "the ranges overlap",
		`{prometheus: {monitor: {enabled: true, groups: [{resources: [pod]}]}}}`:                                "prometheus.monitor.groups[0].resources: pod is not exposed",
		`{prometheus: {monitor: {enabled: true, groups: [{resources: [pods]}, {resources: [jobs, pods]}]}}}`:    "prometheus.monitor.groups[1].resources: pods is listed twice",
		`{prometheus: {monitor: {enabled: true, groups: [{interval: 1m}]}}}`:                                    "resources",
		`{image: {registry: registry.k8s.io, repository: kube-state-metrics/kube-state-metrics, tag: v2.19.1}}`: "not an image of statefleet",
		`{podDisruptionBudget: {enabled: true}}`:                                                                "set podDisruptionBudget: {maxUnavailable: 1}",
		`{podDisruptionBudget: {enabled: false}}`:                                                               "podDisruptionBudget: null for none",
		`{podSecurityPolicy: {enabled: true}}`:                                                                  "podSecurityPolicy.enabled=true is not supported",
		`{prometheus: {monitor: {enabled: true, targetLabels: [a]}}}`:                                           "prometheus.monitor.targetLabels",
		`{replicas: three}`: "replicas",
		`{replica: 3}`:      "additional properties 'replica' not allowed",
		`{prometheus: {monitor: {enable: true}}}`: "additional properties 'enable' not allowed",
		`{metricLabelsAllowList: ["pods=[*]"]}`:   "additional properties 'metricLabelsAllowList' not allowed",
		`{metricLabelsAllowlist: "pods=[*]"}`:     "metricLabelsAllowlist",
		`{resources: {request: {cpu: 1}}}`:        "additional properties 'request' not allowed",
		`{readinessProbe: {periodSecond: 1}}`:     "additional properties 'periodSecond' not allowed",
		`{networkPolicy: true}`:                   "networkPolicy",
		`{updateStrategy: {type: Recreate}}`:      "updateStrategy",
		`{prometheus: {monitor: {kind: Probe}}}`:  "kind",
		`{service: {port: 70000}}`:                "port",
	} {
		if _, err := render(t, parseValues(t, given)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got error %v, want %q in it", given, err, want)
		}
	}
}

// TestCustomResourcesOnlyGrantNoOtherKinds checks that with --custom-resource-state-only, the ClusterRole grants only
// definitions and custom resources, and the arguments have no kinds, for any value of collectors.
func TestCustomResourcesOnlyGrantNoOtherKinds(t *testing.T) {
	const custom = `customResourceState: {enabled: true}, rbac: {extraRules: [{apiGroups: [example.org], resources: [widgets], verbs: [list, watch]}]}`
	for _, c := range []struct {
		values  string
		builtin bool
	}{
		{`extraArgs: [--custom-resource-state-only]`, false},
		{`extraArgs: [--custom-resource-state-only=true], collectors: []`, false},
		{`extraArgs: [--custom-resource-state-only], collectors: [pods]`, false},
		{`extraArgs: [--custom-resource-state-only=false], collectors: [pods]`, true},
		{`collectors: []`, true},
	} {
		all := rendered(t, "{"+custom+", "+c.values+"}")
		want := []string{"customresourcedefinitions", "widgets"}
		granted := grantedKinds(all)
		if slices.Equal(granted, want) == c.builtin {
			t.Errorf("%s: got granted kinds %q, want built-in kinds: %t", c.values, granted, c.builtin)
		}
		args := arguments(t, all)
		named := slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, "--resources") })
		if named != c.builtin {
			t.Errorf("%s: got arguments %q, want --resources: %t", c.values, args, c.builtin)
		}
	}
}

// TestSpreadingKeepsItsOwnSelector checks that a topology spread constraint keeps its labelSelector, and selects the
// pods of the release if it has none.
func TestSpreadingKeepsItsOwnSelector(t *testing.T) {
	for given, want := range map[string]map[string]string{
		`{topologyKey: zone}`: {"app.kubernetes.io/name": "statefleet", "app.kubernetes.io/instance": "statefleet"},
		`{topologyKey: zone, labelSelector: {matchLabels: {team: a}}}`: {"team": "a"},
		`{topologyKey: zone, labelSelector: {}}`:                       nil,
	} {
		constraints := pod(t, rendered(t, `{topologySpreadConstraints: [`+given+`]}`)).TopologySpreadConstraints
		if len(constraints) != 1 || constraints[0].LabelSelector == nil || !maps.Equal(constraints[0].LabelSelector.MatchLabels, want) {
			t.Errorf("%s: got constraints %+v, want the selector %v", given, constraints, want)
		}
	}
}

// TestNullLeavesOut checks that the value null removes a field of the pod, including the chart's defaults for it.
func TestNullLeavesOut(t *testing.T) {
	for name, gone := range map[string]func(spec corev1.PodSpec) bool{
		"livenessProbe":             func(spec corev1.PodSpec) bool { return spec.Containers[0].LivenessProbe == nil },
		"readinessProbe":            func(spec corev1.PodSpec) bool { return spec.Containers[0].ReadinessProbe == nil },
		"startupProbe":              func(spec corev1.PodSpec) bool { return spec.Containers[0].StartupProbe == nil },
		"containerSecurityContext":  func(spec corev1.PodSpec) bool { return spec.Containers[0].SecurityContext == nil },
		"securityContext":           func(spec corev1.PodSpec) bool { return spec.SecurityContext == nil },
		"topologySpreadConstraints": func(spec corev1.PodSpec) bool { return spec.TopologySpreadConstraints == nil },
	} {
		if gone(pod(t, rendered(t, `{}`))) {
			t.Errorf("%s: got no field by default, want the default of the chart", name)
		}
		if !gone(pod(t, rendered(t, `{`+name+`: null}`))) {
			t.Errorf("%s: got a field with null, want none", name)
		}
	}
}

// TestChartCanBePartOfAnother checks the chart as a dependency that a condition of the parent chart enables or
// disables. The value of the condition is one of this chart's values.
func TestChartCanBePartOfAnother(t *testing.T) {
	for _, on := range []bool{true, false} {
		child := load(t)
		parent := &chart.Chart{Metadata: &chart.Metadata{Name: "parent", Version: "1.0.0", APIVersion: chart.APIVersionV2, Dependencies: []*chart.Dependency{
			{Name: child.Name(), Version: child.Metadata.Version, Condition: child.Name() + ".enabled"},
		}}}
		parent.AddDependency(child)
		text, err := renderChart(parent, map[string]any{child.Name(): map[string]any{"enabled": on, "replicas": 2}})
		if err != nil {
			t.Fatalf("enabled: %v: %v", on, err)
		}
		all := decode(t, text)
		if on && *workload(t, all).Spec.Replicas != 2 {
			t.Error("enabled: the values for the dependency have no effect")
		}
		if !on && len(all) > 0 {
			t.Errorf("disabled: got %d objects, want none", len(all))
		}
	}
}

// TestValuesOfKubeStateMetricsHold checks values of the kube-state-metrics chart that have the same name here.
func TestValuesOfKubeStateMetricsHold(t *testing.T) {
	all := rendered(t, `{
		labels: {owner: platform, team: a, app.kubernetes.io/name: other},
		customLabels: {team: b},
		livenessProbe: {httpGet: {scheme: https}},
		readinessProbe: {httpGet: {scheme: http, httpHeaders: []}},
		prometheus: {monitor: {enabled: true, kind: ServiceMonitor, http: {bearerTokenFile: /token}, metrics: {bearerTokenFile: ""}}},
		networkPolicy: {cilium: {kubeApiServerSelector: []}},
		env: {},
	}`)
	set := workload(t, all)
	for label, want := range map[string]string{"owner": "platform", "team": "a", "app.kubernetes.io/name": "statefleet"} {
		if got := set.Labels[label]; got != want {
			t.Errorf("StatefulSet: got label %s=%q, want %q", label, got, want)
		}
	}
	if pods, others := set.Spec.Template.Labels, find[*corev1.Service](t, all, "statefleet").Labels; pods["owner"] != "" || others["owner"] != "" || others["team"] != "b" {
		t.Errorf("got labels %v of pods and %v of the Service, want no label owner and team=b", pods, others)
	}
	container := pod(t, all).Containers[0]
	if live, ready := container.LivenessProbe.HTTPGet, container.ReadinessProbe.HTTPGet; live.Scheme != corev1.URISchemeHTTPS || ready.Scheme != corev1.URISchemeHTTP ||
		live.Path != "/livez" || ready.Path != "/readyz" {
		t.Errorf("got probes %v and %v, want HTTPS on /livez and HTTP on /readyz", live, ready)
	}
	endpoints := find[*monitoringv1.ServiceMonitor](t, all, "statefleet").Spec.Endpoints
	if endpoints[0].BearerTokenFile != "/token" || endpoints[1].BearerTokenFile != "" {
		t.Errorf("got bearerTokenFiles %q and %q, want /token and none",
			endpoints[0].BearerTokenFile, endpoints[1].BearerTokenFile)
	}
}
