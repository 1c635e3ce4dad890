package test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// everyKustomization builds all folders that can be applied. The keys are their paths below manifests.
func everyKustomization(t *testing.T) map[string]objects {
	t.Helper()
	all := map[string]objects{}
	for _, pattern := range []string{"*/kustomization.yaml", "overlays/*/kustomization.yaml", "test/testdata/*/kustomization.yaml"} {
		files, err := filepath.Glob(filepath.Join("..", pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("got no %s, error %v", pattern, err)
		}
		for _, file := range files {
			folder := strings.TrimPrefix(filepath.Dir(file), "../")
			all[folder] = build(t, folder)
		}
	}
	return all
}

// everyManifest returns the objects of each kustomization, and of the chart with each of its files of values.
func everyManifest(t *testing.T) map[string]objects {
	t.Helper()
	all := everyKustomization(t)
	for name, given := range valuesFiles(t) {
		all["chart "+name] = renderedWith(t, given)
	}
	return all
}

func TestBindingsNameExistingAccounts(t *testing.T) {
	for name, all := range everyKustomization(t) {
		if err := checkSubjects(all); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSecretsCanBeLeftOut checks that a component, or a value of the chart, removes Secrets and nothing else from the
// default kinds.
func TestSecretsCanBeLeftOut(t *testing.T) {
	want := slices.DeleteFunc(grantedKinds(build(t, "base")), func(r string) bool { return r == "secrets" })
	for name, all := range map[string]objects{
		"component": build(t, "test/testdata/without-secrets"), "chart": rendered(t, `{collectorsExclude: [secrets]}`),
	} {
		if got := grantedKinds(all); !slices.Equal(got, want) {
			t.Errorf("%s: got granted kinds %q, want %q", name, got, want)
		}
		if got := exposed(arguments(t, all)); !slices.Equal(got, want) {
			t.Errorf("%s: got exposed kinds %q, want %q", name, got, want)
		}
	}
}

// TestEveryFleetMayFollowItsPods checks the right to watch pods, which the status page and standby need.
func TestEveryFleetMayFollowItsPods(t *testing.T) {
	all := everyKustomization(t)
	all["chart"] = rendered(t, "{}")
	for name, objects := range all {
		rules := find[*rbacv1.Role](t, objects, "statefleet").Rules
		at := slices.IndexFunc(rules, func(r rbacv1.PolicyRule) bool { return slices.Equal(r.Resources, []string{"pods"}) })
		if at < 0 || !slices.Equal(rules[at].Verbs, []string{"get", "list", "watch"}) {
			t.Errorf("%s: got rules %v, want get, list and watch of pods", name, rules)
		}
	}
}

// TestOverlaysAreTheirComponents checks that each overlay keeps the promises of the component with the same name.
func TestOverlaysAreTheirComponents(t *testing.T) {
	overlays, err := filepath.Glob("../overlays/*/kustomization.yaml")
	if err != nil || len(overlays) == 0 {
		t.Fatal("no overlays:", err)
	}
	for _, file := range overlays {
		name := filepath.Base(filepath.Dir(file))
		if err := holds(t, name, build(t, "overlays/"+name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := holds(t, "prometheus-operator", build(t, "prometheus-operator")); err != nil {
		t.Error(err)
	}
}

// selects reports whether a selector matches labels.
func selects(selector, of map[string]string) bool {
	return labels.SelectorFromSet(selector).Matches(labels.Set(of))
}

// TestNamespacedGrantsRolesOnly checks that overlay and chart grant nothing in the whole cluster, and that they grant
// the kinds that they expose.
func TestNamespacedGrantsRolesOnly(t *testing.T) {
	for _, c := range []struct {
		name       string
		all        objects
		namespaces []string
	}{
		{"overlay", build(t, "overlays/namespaced"), []string{"default"}},
		{"chart", renderedWith(t, values(t, "../chart/tests/values/namespaced.yaml")), []string{"team-a", "team-b"}},
	} {
		for _, kind := range kinds(c.all) {
			if strings.HasPrefix(kind, "Cluster") {
				t.Errorf("%s: got a %s, want no cluster-wide rights", c.name, kind)
			}
		}
		args := arguments(t, c.all)
		if want := "--namespaces=" + strings.Join(c.namespaces, ","); !slices.Contains(args, want) {
			t.Errorf("%s: got arguments %q, want %s among them", c.name, args, want)
		}
		var granted []string
		for _, object := range c.all {
			role, ok := object.(*rbacv1.Role)
			if !ok || role.Name != "statefleet-objects" {
				continue
			}
			granted = append(granted, role.Namespace)
			if got, want := listed(role.Rules), exposed(args); !slices.Equal(got, want) {
				t.Errorf("%s: namespace %s: got granted kinds %q, want the exposed kinds %q", c.name, role.Namespace, got, want)
			}
		}
		if !slices.Equal(granted, c.namespaces) {
			t.Errorf("%s: got roles in namespaces %q, want %q", c.name, granted, c.namespaces)
		}
		for _, object := range c.all {
			binding, ok := object.(*rbacv1.RoleBinding)
			if ok && (len(binding.Subjects) != 1 || binding.Subjects[0].Name != "statefleet" || binding.Subjects[0].Namespace != "statefleet") {
				t.Errorf("%s: %s/%s: got subjects %v, want statefleet", c.name, binding.Namespace, binding.Name, binding.Subjects)
			}
		}
	}
}

// TestNamespacesMayHaveStrayCommas checks that empty namespaces are ignored. Otherwise, the namespace of the release
// would get an unwanted role.
func TestNamespacesMayHaveStrayCommas(t *testing.T) {
	for _, given := range []string{"a,b,", ",a, b ", "a,,b,a"} {
		all := rendered(t, `{rbac: {useClusterRole: false}, namespaces: "`+given+`", namespacesDenylist: "c,"}`)
		var granted, bound []string
		for _, object := range all {
			switch o := object.(type) {
			case *rbacv1.Role:
				if o.Name == "statefleet-objects" {
					granted = append(granted, o.Namespace)
				}
			case *rbacv1.RoleBinding:
				if o.Name == "statefleet-objects" {
					bound = append(bound, o.Namespace)
				}
			}
		}
		if want := []string{"a", "b"}; !slices.Equal(granted, want) || !slices.Equal(bound, want) {
			t.Errorf("%q: got roles in %q and bindings in %q, want %q", given, granted, bound, want)
		}
		args := arguments(t, all)
		if !slices.Contains(args, "--namespaces-denylist=c") || slices.ContainsFunc(args, func(arg string) bool { return strings.HasSuffix(arg, ",") }) {
			t.Errorf("%q: got arguments %q, want none with a comma at the end", given, args)
		}
	}
}

// listed returns the sorted resources of rules with the verbs list and watch. For each other rule, it has a remark.
func listed(rules []rbacv1.PolicyRule) []string {
	var names []string
	for _, rule := range rules {
		if slices.Equal(rule.Verbs, []string{"list", "watch"}) {
			names = append(names, rule.Resources...)
		} else {
			names = append(names, "more than list and watch")
		}
	}
	slices.Sort(names)
	return names
}

// exposed returns the kinds in all --resources arguments, sorted and without duplicates.
func exposed(args []string) (names []string) {
	for _, arg := range args {
		if list, ok := strings.CutPrefix(arg, "--resources="); ok {
			names = append(names, strings.Split(list, ",")...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// TestExposedIsGranted checks for all values files that the chart grants the kinds in its arguments.
func TestExposedIsGranted(t *testing.T) {
	for name, given := range valuesFiles(t) {
		if name == "namespaced" || name == "presets" {
			continue // see TestNamespacedGrantsRolesOnly and TestPresetsGrantTheirKinds
		}
		all := renderedWith(t, given)
		release := "statefleet"
		if override, ok := given["fullnameOverride"].(string); ok {
			release = override
		}
		args := find[*appsv1.StatefulSet](t, all, release).Spec.Template.Spec.Containers[0].Args
		granted := listed(find[*rbacv1.ClusterRole](t, all, release).Rules)
		granted = slices.DeleteFunc(granted, func(r string) bool { return r == "customresourcedefinitions" || r == "widgets" })
		if want := exposed(args); !slices.Equal(granted, want) {
			t.Errorf("%s: got granted kinds %q, want the exposed kinds %q", name, granted, want)
		}
	}
}
