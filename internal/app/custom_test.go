package app

import (
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/statefleet/statefleet/internal/config"
	"github.com/statefleet/statefleet/internal/testing/exporter"
)

const widgetDefinition = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com, uid: d, resourceVersion: "1"}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Widget, plural: widgets}
  versions: [{name: v1, served: true, storage: true}]
`

const widget = `
apiVersion: example.com/v1
kind: Widget
metadata: {namespace: default, name: a, uid: w, resourceVersion: "2"}
spec: {size: 7}
`

// widgetMetrics returns a configuration with one family.
func widgetMetrics(family string) string {
	return `
kind: CustomResourceStateMetrics
spec:
  resources:
  - groupVersionKind: {group: example.com, version: v1, kind: Widget}
    metricNamePrefix: widget
    labelsFromPath: {name: [metadata, name]}
    metrics:
    - name: ` + family + `
      help: Size of the widget.
      each: {type: Gauge, gauge: {path: [spec, size]}}
`
}

// widgetLine returns the sample line of the widget.
func widgetLine(family string) string {
	return "widget_" + family + `{customresource_group="example.com",customresource_kind="Widget",customresource_version="v1",name="a"} 7` + "\n"
}

// eventuallyExposes waits until the exposition consists of these samples.
func (p *program) eventuallyExposes(t *testing.T, want ...string) {
	t.Helper()
	var got []string
	exporter.Eventually(t, "the exposition is "+strings.Join(want, ""), func() bool {
		got = p.Samples(t)
		return slices.Equal(got, want)
	})
}

func TestCustomResourcesComeWithTheirDefinitions(t *testing.T) {
	api, flag := newExactAPI(t)
	config := filepath.Join(t.TempDir(), "crs.yaml")
	writeFile(t, config, widgetMetrics("size"))
	p := start(t, flag, "--custom-resource-state-config-file="+config, "--custom-resource-state-only", "--resources=pods")
	p.eventuallyExposes(t)
	plurals := map[schema.GroupKind]string{{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}: "customresourcedefinitions"}
	addCustom(t, api, []byte(widgetDefinition), plurals)
	addCustom(t, api, []byte(widget), plurals)
	p.eventuallyExposes(t, widgetLine("size"))

	known := map[string]string{widgetLine("size"): "before", widgetLine("inches"): "after"}
	s := p.scrape(t, known)
	defer s.end()
	writeFile(t, config, widgetMetrics("inches"))
	p.hangUp()
	p.waitForReloads(t, served, 1)
	p.eventuallyExposes(t, widgetLine("inches"))
	writeFile(t, config, "kind: CustomResourceStateMetrics\nspec: {resources: {}}\n")
	p.hangUp()
	p.waitForReloads(t, refused, 1)
	s.waitForSequence(t, "before", "after")
	for _, want := range []string{"--resources has no effect", "configuration refused", "spec.resources"} {
		if !strings.Contains(p.Log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, p.Log.String())
		}
	}
	if want := `type="customresourceconfig"} 0`; !strings.Contains(p.selfMetrics(t), want) {
		t.Errorf("the metrics lack %s", want)
	}
}

// clashingMetrics returns a configuration with a family that has the name of a family of pods.
func clashingMetrics() string {
	return strings.Replace(widgetMetrics("info"), "metricNamePrefix: widget", "metricNamePrefix: kube_pod", 1)
}

// A family with the name of a built-in one is refused while the built-in one is exported.
func TestCustomFamiliesAreNotMergedIntoBuiltInOnes(t *testing.T) {
	api, flag := newExactAPI(t)
	plurals := map[schema.GroupKind]string{{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}: "customresourcedefinitions"}
	addCustom(t, api, []byte(widgetDefinition), plurals)
	addCustom(t, api, []byte(widget), plurals)
	config := filepath.Join(t.TempDir(), "crs.yaml")
	writeFile(t, config, widgetMetrics("size"))
	p := start(t, flag, "--custom-resource-state-config-file="+config, "--resources=pods")
	p.eventuallyExposes(t, widgetLine("size"))
	writeFile(t, config, clashingMetrics())
	p.hangUp()
	p.waitForReloads(t, refused, 1)
	p.eventuallyExposes(t, widgetLine("size"))
	const why = "spec.resources[0].metrics[0].name (line 9): kube_pod_info clashes with kube_pod_info of the built-in kind pods"
	if !strings.Contains(p.Log.String(), why) {
		t.Errorf("the log lacks %q:\n%s", why, p.Log.String())
	}
	p.End(t)
	for _, free := range []string{"--custom-resource-state-only", "--resources=jobs"} {
		p := start(t, flag, "--custom-resource-state-config-file="+config, free)
		p.eventuallyExposes(t, strings.Replace(widgetLine("info"), "widget_", "kube_pod_", 1))
		p.End(t)
	}
}

// A fault in a custom resource is counted, and logged with its place and at the level that errorLogV selects.
func TestFaultsOfCustomResourcesAreLogged(t *testing.T) {
	api, flag := newExactAPI(t)
	plurals := map[schema.GroupKind]string{{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}: "customresourcedefinitions"}
	addCustom(t, api, []byte(widgetDefinition), plurals)
	addCustom(t, api, []byte(strings.Replace(widget, "size: 7", "size: large", 1)), plurals)
	const count = `statefleet_samples_skipped_total{resource="widgets.v1.example.com"}`
	line := regexp.MustCompile(`level=(\w+) .*resource=widgets.v1.example.com metric=widget_size configured="spec.resources\[0\].metrics\[0\].name \(line 8\)" ` +
		`namespace=default name=a reason="the value can't be read as a number"`)
	for errorLogV, want := range map[string]string{"0": "INFO", "4": "DEBUG"} {
		config := writeConfig(t, "custom-resource-state-only: true\nlog.level: debug\ncustom-resource-state-config: |"+
			strings.ReplaceAll(widgetMetrics("size")+"      errorLogV: "+errorLogV+"\n", "\n", "\n  ")+"\n")
		p := start(t, flag, config)
		p.eventuallyExposes(t)
		if got := p.selfMetric(t, count); got != 1 {
			t.Errorf("%s: got %v, want 1", count, got)
		}
		if found := line.FindAllStringSubmatch(p.Log.String(), -1); len(found) != 1 || found[0][1] != want {
			t.Errorf("errorLogV %s: got %q, want one line of level %s in\n%s", errorLogV, found, want, p.Log.String())
		}
		p.End(t)
	}
}

// Faults that kube-state-metrics tolerates are logged once, and the rest is served. In strict mode they are refused, at
// the start and at a reload.
func TestStrictModeRefusesToleratedFaults(t *testing.T) {
	api, flag := newExactAPI(t)
	plurals := map[schema.GroupKind]string{{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}: "customresourcedefinitions"}
	addCustom(t, api, []byte(widgetDefinition), plurals)
	addCustom(t, api, []byte(widget), plurals)
	name := filepath.Join(t.TempDir(), "crs.yaml")
	const fault = "spec.resources[0].metrics[0].unit (line 12): unknown field"
	withFault := widgetMetrics("size") + "      unit: inches\n"
	writeFile(t, name, withFault)
	p := start(t, flag, "--custom-resource-state-config-file="+name, "--custom-resource-state-only")
	p.eventuallyExposes(t, widgetLine("size"))
	for _, want := range []string{
		`level=WARN`, `msg="questionable configuration" warning="--custom-resource-state-config-file: ` + name + `: ` + fault,
		`has their name as a label, but not their namespace`,
	} {
		if n := strings.Count(p.Log.String(), want); n == 0 || n > 1 && want != "level=WARN" {
			t.Errorf("got %q %d times, want it once in the log:\n%s", want, n, p.Log.String())
		}
	}
	p.End(t)

	for _, strict := range []string{"--custom-resource-state-strict", writeConfig(t, "custom-resource-state-strict: true\n")} {
		_, _, err := config.Load([]string{strict, "--custom-resource-state-config-file=" + name}, io.Discard, io.Discard)
		if want := name + ": " + fault; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got the error %v, want %q", strict, err, want)
		}
	}
	writeFile(t, name, widgetMetrics("size"))
	p = start(t, flag, "--custom-resource-state-config-file="+name, "--custom-resource-state-only", "--custom-resource-state-strict")
	p.eventuallyExposes(t, widgetLine("size"))
	writeFile(t, name, withFault)
	p.hangUp()
	p.waitForReloads(t, refused, 1)
	p.eventuallyExposes(t, widgetLine("size"))
}

// Custom resources that are configured inline are exported beside built-in kinds.
func TestInlineCustomResources(t *testing.T) {
	api, flag := newExactAPI(t)
	plurals := map[schema.GroupKind]string{{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}: "customresourcedefinitions"}
	addCustom(t, api, []byte(widgetDefinition), plurals)
	addCustom(t, api, []byte(widget), plurals)
	indented := strings.ReplaceAll(widgetMetrics("size"), "\n", "\n  ")
	p := start(t, flag, writeConfig(t, "resources: [pods]\ncustom-resource-state-config: |"+indented+"\n"))
	if got := p.Samples(t); !slices.Equal(got, []string{widgetLine("size")}) {
		t.Errorf("got samples %q, want the widget", got)
	}
	if _, text := p.Get(t, p.Metrics, "/metrics?resources=widgets.v1.example.com"); !strings.Contains(text, widgetLine("size")) {
		t.Errorf("with resources=widgets.v1.example.com: got %q, want the widget", text)
	}
	if status, _ := p.Get(t, p.Metrics, "/metrics?resources=pods"); status != 200 {
		t.Errorf("with resources=pods: got status %d, want 200", status)
	}
}

// Namespaces are selected by their labels, and changes of the labels take effect.
func TestNamespacesAreSelectedByLabels(t *testing.T) {
	c, api := exporter.Cluster(t)
	p := start(t, api, "--resources=jobs,namespaces", "--namespaces-selector=test=yes")
	lines := p.Samples(t)
	if jobs, namespaces := exporter.Count(lines, "kube_job_"), exporter.Count(lines, "kube_namespace_created{"); jobs != 0 || namespaces != len(c.Names("namespaces")) {
		t.Errorf("no namespace matches: got %d series of jobs and %d namespaces, want 0 and %d",
			jobs, namespaces, len(c.Names("namespaces")))
	}
	selected, want := c.Names("jobs")[0].Namespace, 0
	for _, job := range c.Names("jobs") {
		if job.Namespace == selected {
			want++
		}
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: selected}}
	if err := c.Modify(namespace, func() { namespace.Labels = map[string]string{"test": "yes"} }); err != nil {
		t.Fatal(err)
	}
	exporter.Eventually(t, "the jobs of the namespace are exposed", func() bool { return exporter.Count(p.Samples(t), "kube_job_info{") == want })
}

// Alerts on errors of the API server exclude resources with the phase forbidden.
func TestForbiddenDefinitionsHaveThatPhase(t *testing.T) {
	api, _ := newExactAPI(t)
	flag := exporter.ServeAPI(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/customresourcedefinitions") {
			http.Error(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403}`, http.StatusForbidden)
			return
		}
		api.ServeHTTP(w, r)
	}))
	config := filepath.Join(t.TempDir(), "crs.yaml")
	writeFile(t, config, widgetMetrics("size"))
	p := start(t, flag, "--custom-resource-state-config-file="+config, "--resources=pods")
	p.eventuallyExposes(t)
	if n := p.selfMetric(t, `statefleet_resource_phase{phase="forbidden",resource="customresourcedefinitions"}`); n != 1 {
		t.Errorf("the phase forbidden of the definitions: got %v, want 1", n)
	}
}
