package config

import (
	"io"
	"strings"
	"testing"

	"github.com/statefleet/statefleet/manifests/presets"
)

func TestPresetsFollowTheUsersEntries(t *testing.T) {
	const custom = `--custom-resource-state-config={kind: CustomResourceStateMetrics, spec: {resources: [{groupVersionKind: ` +
		`{group: a, version: v1, kind: B}, labelsFromPath: {name: [metadata, name], namespace: [metadata, namespace]}, ` +
		`metrics: [{name: size, each: {type: Gauge, gauge: {path: [spec, size]}}}]}]}}`
	c := mustLoad(t, custom, "--custom-resource-state-preset=keda,jobset", "--custom-resource-state-preset=jobset")
	var kinds []string
	for _, e := range c.Custom.Entries() {
		kinds = append(kinds, e.GVK.Kind)
	}
	if got, want := strings.Join(kinds, " "), "B ScaledObject ScaledJob JobSet"; got != want {
		t.Errorf("got entries of %s, want %s", got, want)
	}
	if c.CustomSource != "--custom-resource-state-config" {
		t.Errorf("got the source %q, want --custom-resource-state-config", c.CustomSource)
	}
}

// TestEachPresetIsValid loads each preset alone, and all together, beside all built-in kinds and families.
func TestEachPresetIsValid(t *testing.T) {
	for _, names := range append(presets.Names(), strings.Join(presets.Names(), ",")) {
		args := []string{"--resources=" + strings.Join(allKinds(), ","), "--metric-opt-in-list=.*", "--custom-resource-state-preset=" + names}
		c, _, err := Load(args, io.Discard, io.Discard)
		if err != nil {
			t.Errorf("%s: %v", names, err)
			continue
		}
		if w := c.Warnings(); len(w) > 0 || c.CustomSource != "--custom-resource-state-preset" {
			t.Errorf("%s: got warnings %q and source %q, want none and --custom-resource-state-preset",
				names, w, c.CustomSource)
		}
	}
}

// TestPresetsThatClashAreRefused: a preset must not have a family of the user's configuration.
func TestPresetsThatClashAreRefused(t *testing.T) {
	const custom = `--custom-resource-state-config={kind: CustomResourceStateMetrics, spec: {resources: [{groupVersionKind: ` +
		`{group: a, version: v1, kind: B}, metricNamePrefix: kube_jobset, labelsFromPath: {uid: [metadata, uid]}, ` +
		`metrics: [{name: restarts, each: {type: Gauge, gauge: {path: [spec, size]}}}]}]}}`
	_, _, err := Load([]string{custom, "--custom-resource-state-preset=jobset"}, io.Discard, io.Discard)
	want := "--custom-resource-state-config: spec.resources[0].metrics[0].name (line 1): kube_jobset_restarts clashes with " +
		"kube_jobset_restarts of preset jobset: spec.resources[0].metrics[2].name"
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got the error %v, want %s", err, want)
	}
	mustLoad(t, custom, "--custom-resource-state-preset=jobset", "--metric-denylist=^kube_jobset_restarts$")
}
