package test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	rbacv1 "k8s.io/api/rbac/v1"
)

// everyKustomization builds all folders that can be applied as they are, by their paths below manifests.
func everyKustomization(t *testing.T) map[string]objects {
	t.Helper()
	all := map[string]objects{}
	for _, pattern := range []string{"*/kustomization.yaml", "overlays/*/kustomization.yaml", "test/testdata/*/kustomization.yaml"} {
		files, err := filepath.Glob(filepath.Join("..", pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("no %s: %v", pattern, err)
		}
		for _, file := range files {
			folder := strings.TrimPrefix(filepath.Dir(file), "../")
			all[folder] = build(t, folder)
		}
	}
	return all
}

func TestBindingsNameAccountsThatAreThere(t *testing.T) {
	for name, all := range everyKustomization(t) {
		if err := checkSubjects(all); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// withComponent is the folder of a kustomization of the base with a component.
func withComponent(name string) string { return filepath.Join("test/testdata", name) }

// TestComponentsGrantWhatTheyExpose: with a component, the arguments name the kinds that the ClusterRole allows.
func TestComponentsGrantWhatTheyExpose(t *testing.T) {
	for component, kinds := range map[string]struct{ with, without string }{
		"without-secrets": {with: "configmaps", without: "secrets"},
		"all-kinds":       {with: "rolebindings"},
	} {
		all := build(t, withComponent(component))
		granted := listed(find[*rbacv1.ClusterRole](t, all, "statefleet").Rules)
		if want := exposed(pod(t, all).Containers[0].Args); !slices.Equal(granted, want) {
			t.Errorf("%s: grants %q, exposed are %q", component, granted, want)
		}
		if !slices.Contains(granted, kinds.with) || slices.Contains(granted, kinds.without) {
			t.Errorf("%s: grants %q", component, granted)
		}
	}
}

// TestSecretsCanBeLeftOut: a chart value, or a component, takes Secrets and nothing else from what is read by default.
func TestSecretsCanBeLeftOut(t *testing.T) {
	rights := func(all objects) []string { return listed(find[*rbacv1.ClusterRole](t, all, "statefleet").Rules) }
	want := slices.DeleteFunc(rights(build(t, "base")), func(r string) bool { return r == "secrets" })
	text, err := render(t, map[string]any{"collectorsExclude": []any{"secrets"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, all := range map[string]objects{"component": build(t, withComponent("without-secrets")), "chart": decode(t, text)} {
		if got := rights(all); !slices.Equal(got, want) {
			t.Errorf("%s: grants %q, want %q", name, got, want)
		}
		if got := exposed(pod(t, all).Containers[0].Args); !slices.Equal(got, want) {
			t.Errorf("%s: exposes %q, want %q", name, got, want)
		}
	}
}

// TestEveryFleetMayFollowItsPods: the status page shows them, and standby depends on them.
func TestEveryFleetMayFollowItsPods(t *testing.T) {
	all := everyKustomization(t)
	all["chart"] = rendered(t, "{}")
	for name, objects := range all {
		rules := find[*rbacv1.Role](t, objects, "statefleet").Rules
		at := slices.IndexFunc(rules, func(r rbacv1.PolicyRule) bool { return slices.Equal(r.Resources, []string{"pods"}) })
		if at < 0 || !slices.Equal(rules[at].Verbs, []string{"get", "list", "watch"}) {
			t.Errorf("%s: rules %v", name, rules)
		}
	}
}

// TestOverlaysAreTheirComponents: each overlay has what the component of its name promises.
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

func selects(selector, labels map[string]string) bool {
	for k, v := range selector {
		if labels[k] != v {
			return false
		}
	}
	return true
}

// TestNamespacedGrantsRolesOnly: nothing is granted in all namespaces, neither by the overlay nor by the chart, and
// what is exposed is what is granted.
func TestNamespacedGrantsRolesOnly(t *testing.T) {
	text, err := render(t, values(t, "../chart/tests/values/namespaced.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name       string
		all        objects
		namespaces []string
	}{
		{"overlay", build(t, "overlays/namespaced"), []string{"default"}},
		{"chart", decode(t, text), []string{"team-a", "team-b"}},
	} {
		for _, kind := range kinds(c.all) {
			if strings.HasPrefix(kind, "Cluster") {
				t.Errorf("%s: has a %s", c.name, kind)
			}
		}
		args := find[*appsv1.StatefulSet](t, c.all, "statefleet").Spec.Template.Spec.Containers[0].Args
		if want := "--namespaces=" + strings.Join(c.namespaces, ","); !slices.Contains(args, want) {
			t.Errorf("%s: no %s among %q", c.name, want, args)
		}
		var granted []string
		for _, object := range c.all {
			role, ok := object.(*rbacv1.Role)
			if !ok || role.Name != "statefleet-objects" {
				continue
			}
			granted = append(granted, role.Namespace)
			if got, want := listed(role.Rules), exposed(args); !slices.Equal(got, want) {
				t.Errorf("%s: namespace %s grants %q, exposed are %q", c.name, role.Namespace, got, want)
			}
		}
		if !slices.Equal(granted, c.namespaces) {
			t.Errorf("%s: grants in %q, want %q", c.name, granted, c.namespaces)
		}
		for _, object := range c.all {
			binding, ok := object.(*rbacv1.RoleBinding)
			if ok && (len(binding.Subjects) != 1 || binding.Subjects[0].Name != "statefleet" || binding.Subjects[0].Namespace != "statefleet") {
				t.Errorf("%s: %s/%s binds %v", c.name, binding.Namespace, binding.Name, binding.Subjects)
			}
		}
	}
}

// TestNamespacesMayHaveStrayCommas: an object with an empty namespace is put into that of the release, where no one
// asked for a role.
func TestNamespacesMayHaveStrayCommas(t *testing.T) {
	for _, given := range []string{"a,b,", ",a, b ", "a,,b,a"} {
		text, err := render(t, map[string]any{"rbac": map[string]any{"useClusterRole": false}, "namespaces": given, "namespacesDenylist": "c,"})
		if err != nil {
			t.Fatal(err)
		}
		var granted, bound []string
		all := decode(t, text)
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
			t.Errorf("%q: roles in %q, bindings in %q", given, granted, bound)
		}
		args := pod(t, all).Containers[0].Args
		if !slices.Contains(args, "--namespaces-denylist=c") || slices.ContainsFunc(args, func(arg string) bool { return strings.HasSuffix(arg, ",") }) {
			t.Errorf("%q: arguments %q", given, args)
		}
	}
}

// listed are the resources that may be listed and watched, and nothing else done to, sorted.
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

// exposed are the values of --resources, which add up, sorted.
func exposed(args []string) (names []string) {
	for _, arg := range args {
		if list, ok := strings.CutPrefix(arg, "--resources="); ok {
			names = append(names, strings.Split(list, ",")...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// TestExposedIsGranted: whatever the values are, the roles of the chart allow the kinds that its arguments name.
func TestExposedIsGranted(t *testing.T) {
	for name, given := range valuesFiles(t) {
		if name == "namespaced" || name == "presets" {
			continue // see TestNamespacedGrantsRolesOnly and TestPresetsGrantTheirKinds
		}
		text, err := render(t, given)
		if err != nil {
			t.Fatal(err)
		}
		all := decode(t, text)
		release := "statefleet"
		if override, ok := given["fullnameOverride"].(string); ok {
			release = override
		}
		args := find[*appsv1.StatefulSet](t, all, release).Spec.Template.Spec.Containers[0].Args
		granted := listed(find[*rbacv1.ClusterRole](t, all, release).Rules)
		granted = slices.DeleteFunc(granted, func(r string) bool { return r == "customresourcedefinitions" || r == "widgets" })
		if want := exposed(args); !slices.Equal(granted, want) {
			t.Errorf("%s: grants %q, exposed are %q", name, granted, want)
		}
	}
}
