package test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestProfileIsItsConfigurationFile checks that with a profile, the chart passes the settings of the profile's file as
// arguments, and grants its kinds.
func TestProfileIsItsConfigurationFile(t *testing.T) {
	files, err := filepath.Glob("../profiles/*.yaml")
	if err != nil || len(files) != 3 {
		t.Fatalf("got profiles %q, error %v; want three profiles", files, err)
	}
	byDefault := arguments(t, rendered(t, "{}"))
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		settings := readYAML[map[string]any](t, file)
		var want []string
		for flag, value := range settings {
			if list, ok := value.([]any); ok {
				value = strings.Trim(strings.ReplaceAll(fmt.Sprint(list), " ", ","), "[]")
			}
			want = append(want, fmt.Sprintf("--%s=%v", flag, value))
		}
		if len(settings) == 0 {
			want = []string{} // as without a profile
		}
		all := rendered(t, "profile: "+name)
		var got []string
		for _, arg := range arguments(t, all) {
			if !slices.Contains(byDefault, arg) {
				got = append(got, arg)
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("profile %s: got arguments %q, want %q", name, got, want)
		}
		if kinds, ok := settings["resources"].([]any); ok {
			if allowed := grantedKinds(all); len(allowed) != len(kinds) {
				t.Errorf("profile %s: got granted kinds %v, want %v", name, allowed, kinds)
			}
		}
	}
}

// TestValuesGoWithAProfile checks that collectors replace the kinds of a profile, other values add to it, and extraArgs
// have precedence.
func TestValuesGoWithAProfile(t *testing.T) {
	f := func(given string, want ...string) {
		t.Helper()
		all := strings.Join(arguments(t, rendered(t, given)), "\n") + "\n"
		for _, arg := range want {
			arg, absent := strings.CutPrefix(arg, "!")
			if strings.Contains(all, arg) == absent {
				t.Errorf("%s: got %s in the arguments: %t, want %t\n%s", given, arg, absent, !absent, all)
			}
		}
	}
	f("{profile: minimal, collectors: [pods, nodes]}", "--resources=nodes,pods\n", "kube_node_(info|role")
	f("{profile: minimal, collectorsExtra: [services], metricAllowlist: [^kube_service_info$]}",
		",services,", "kube_resourcequota$", ",^kube_service_info$\n")
	f("{profile: minimal, metricOptInList: [kube_pod_workload]}", "--metric-opt-in-list=kube_pod_workload\n")
	f("{profile: minimal, extraArgs: [--metric.skip-zero-statesets=false]}",
		"--metric.skip-zero-statesets=false\n", "!--metric.skip-zero-statesets=true")
	f("{profile: minimal, extraArgs: [--no-metric.skip-zero-statesets]}", "!--metric.skip-zero-statesets=true")
	f("{profile: everything, metricDenylist: [kube_secret]}", "--metric-opt-in-list=.*\n", "--metric-denylist=kube_secret\n")
	f("{profile: everything, rbac: {useClusterRole: false}, namespaces: a}", ",secrets,", "!nodes")
	f("{profile: null}", "!--metric-allowlist")
}
