package test

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

// TestPresetsGrantTheirKinds checks that the ClusterRole of the chart has the rules that check-config prints for the
// arguments, and no others.
func TestPresetsGrantTheirKinds(t *testing.T) {
	program := buildProgram(t)
	for _, presets := range append(presetNames(t), strings.Join(presetNames(t), ", ")) {
		all := rendered(t, `{customResourceState: {presets: [`+presets+`]}, extraArgs: [--custom-resource-state-only]}`)
		args := slices.DeleteFunc(arguments(t, all), func(a string) bool { return !strings.HasPrefix(a, "--custom-resource-state") })
		out, err := exec.CommandContext(t.Context(), program, append([]string{"check-config"}, args...)...).Output()
		if err != nil {
			t.Fatalf("%q: %v", args, err)
		}
		var want struct{ Rules []rbacv1.PolicyRule }
		if err := yaml.Unmarshal(out, &want); err != nil {
			t.Fatal(err)
		}
		got := find[*rbacv1.ClusterRole](t, all, "statefleet").Rules
		byGroup := func(a, b rbacv1.PolicyRule) int { return strings.Compare(a.APIGroups[0], b.APIGroups[0]) }
		slices.SortFunc(got, byGroup)
		slices.SortFunc(want.Rules, byGroup)
		if diff := cmp.Diff(want.Rules, got); diff != "" || len(got) < 2 {
			t.Errorf("%s: check-config (-) and chart (+):\n%s", presets, diff)
		}
	}
}

// presetNames returns the names of the presets in manifests/presets.
func presetNames(t *testing.T) (names []string) {
	t.Helper()
	files, err := os.ReadDir("../presets")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if name, ok := strings.CutSuffix(f.Name(), ".yaml"); ok {
			names = append(names, name)
		}
	}
	if len(names) < 13 {
		t.Fatalf("got %d presets, want at least 13", len(names))
	}
	return names
}

// TestPresetsAreScraped checks that groups may contain kinds of presets, and that there is a scrape for the kinds
// outside of groups even if all built-in kinds are in groups.
func TestPresetsAreScraped(t *testing.T) {
	const grouped = `{collectors: [pods], customResourceState: {presets: [keda]},
		prometheus: {monitor: {enabled: true, groups: [{resources: [pods, scaledjobs.v1alpha1.keda.sh]}]}}}`
	text, err := render(t, parseValues(t, grouped))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"pods,scaledjobs.v1alpha1.keda.sh", "exclude_resources"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("want %s in the rendered chart, got\n%s", want, text)
		}
	}
}

func TestPresetsThatCannotBeHonouredAreRefused(t *testing.T) {
	for given, want := range map[string]string{
		`{customResourceState: {presets: [flx]}}`: `customResourceState.presets: unknown preset "flx"; known presets are argo-cd, `,
		`{customResourceState: {presets: [flux]}, rbac: {useClusterRole: false}, namespaces: a, collectors: [pods]}`: "need rbac.useClusterRole=true",
		`{customResourceState: {presets: flux}}`: "customResourceState/presets",
	} {
		if _, err := render(t, parseValues(t, given)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got error %v, want %q in it", given, err, want)
		}
	}
}
