package app

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

const jobSet = `
apiVersion: jobset.x-k8s.io/v1alpha2
kind: JobSet
metadata: {namespace: default, name: a, uid: j, resourceVersion: "3"}
status: {restarts: 2}
`

// jobSetDefinition returns a definition of JobSets with one served version.
func jobSetDefinition(version string) []byte {
	text := strings.NewReplacer("example.com", "jobset.x-k8s.io", "widgets", "jobsets", "Widget", "JobSet", "v1, served", version+", served")
	return []byte(text.Replace(widgetDefinition))
}

// TestPresetNeedsItsVersionOfTheKind checks that without that version the replica is ready, exposes no family of the
// kind, and logs that once.
func TestPresetNeedsItsVersionOfTheKind(t *testing.T) {
	const line = `kube_jobset_restarts{customresource_group="jobset.x-k8s.io",customresource_kind="JobSet",` +
		`customresource_version="v1alpha2",jobset_name="a",namespace="default"} 2` + "\n"
	const absent = "the API server does not have the kinds of some entries"
	for version, want := range map[string]string{"": "", "v1": "", "v1alpha2": line} {
		api, flag := newExactAPI(t)
		plurals := map[schema.GroupKind]string{
			{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}: "customresourcedefinitions",
			{Group: "jobset.x-k8s.io", Kind: "JobSet"}:                        "jobsets",
		}
		if version != "" {
			addCustom(t, api, jobSetDefinition(version), plurals)
		}
		addCustom(t, api, []byte(jobSet), plurals)
		p := start(t, flag, "--custom-resource-state-preset=jobset", "--custom-resource-state-only", "--metric-allowlist=restarts")
		if want == "" {
			p.eventuallyExposes(t)
		} else {
			p.eventuallyExposes(t, want)
		}
		if n := strings.Count(p.Log.String(), absent); (n == 1) != (want == "") {
			t.Errorf("version %q: got %d lines about an absent kind, want one if the kind is absent:\n%s",
				version, n, p.Log.String())
		}
		p.End(t)
	}
}

// TestPresetsAreAddedToAConfiguration covers a configuration of the same kind, and a preset that a reload adds.
func TestPresetsAreAddedToAConfiguration(t *testing.T) {
	api, flag := newExactAPI(t)
	plurals := map[schema.GroupKind]string{{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}: "customresourcedefinitions"}
	addCustom(t, api, jobSetDefinition("v1alpha2"), plurals)
	addCustom(t, api, []byte(jobSet), plurals)
	const own = `
custom-resource-state-config: |
  kind: CustomResourceStateMetrics
  spec:
    resources:
    - groupVersionKind: {group: jobset.x-k8s.io, version: v1alpha2, kind: JobSet}
      labelsFromPath: {name: [metadata, name], namespace: [metadata, namespace]}
      metrics: [{name: restarts, each: {type: Gauge, gauge: {path: [status, restarts]}}}]
custom-resource-state-only: true
metric-allowlist: [restarts]
`
	const labels = `{customresource_group="jobset.x-k8s.io",customresource_kind="JobSet",customresource_version="v1alpha2",`
	ours := "kube_customresource_restarts" + labels + `name="a",namespace="default"} 2` + "\n"
	preset := "kube_jobset_restarts" + labels + `jobset_name="a",namespace="default"} 2` + "\n"
	file := writeConfig(t, own)
	p := start(t, flag, file)
	p.eventuallyExposes(t, ours)
	_, name, _ := strings.Cut(file, "=")
	writeFile(t, name, own+"custom-resource-state-preset: [jobset]\n")
	p.hangUp()
	p.eventuallyExposes(t, ours, preset)
}
