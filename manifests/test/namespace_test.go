package test

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// TestNamespaceOfTheUserHoldsForAllObjects: of the base and of each component, and for the subjects of bindings. Whether the
// user sets it beside the components or below them makes no difference.
func TestNamespaceOfTheUserHoldsForAllObjects(t *testing.T) {
	for _, namespace := range []string{"monitoring", "kube-system"} {
		set := "namespace: " + namespace + "\n"
		cases := map[string][]layer{"base": {withComponents(set)}}
		for _, c := range components(t) {
			if c != "namespaced" { // see TestNamespacedRefusesToMoveItsRoles
				cases[c] = []layer{withComponents(set, c)}
			}
			cases[c+" above"] = []layer{withComponents(set), above(c)}
		}
		for name, layers := range cases {
			all, err := kustomize(t, layers...)
			if err != nil {
				t.Errorf("%s in %s: %v", name, namespace, err)
				continue
			}
			if err := checkSubjects(all); err != nil {
				t.Errorf("%s in %s: %v", name, namespace, err)
			}
			for _, object := range all {
				if in := accessor(t, object).GetNamespace(); in != namespace && in != "" && !isOfNamespacedObjects(object) {
					t.Errorf("%s in %s: %s is in %s", name, namespace, object.GetObjectKind().GroupVersionKind().Kind, in)
				}
				if n, ok := object.(*corev1.Namespace); ok && (!strings.HasPrefix(name, "own-namespace") || n.Name != namespace) {
					t.Errorf("%s in %s: makes or changes the namespace %s", name, namespace, n.Name)
				}
			}
		}
	}
}

// above is a kustomization that adds a component to the one of withComponents.
func above(component string) layer {
	return layer{"above", "resources: [../fleet]\ncomponents: [github.com/statefleet/statefleet/manifests/components/" + component + "?ref=v0.1.0]\n"}
}

// isOfNamespacedObjects tells whether an object grants to read the namespace default, as the component namespaced does.
func isOfNamespacedObjects(object runtime.Object) bool {
	switch o := object.(type) {
	case *rbacv1.Role:
		return o.Name == "statefleet-objects" && o.Namespace == "default"
	case *rbacv1.RoleBinding:
		return o.RoleRef.Name == "statefleet-objects" && o.Namespace == "default"
	}
	return false
}

// TestNamespacedRefusesToMoveItsRoles: a namespace beside the component would grant to read that one instead of the exported
// one. Below the component it is right.
func TestNamespacedRefusesToMoveItsRoles(t *testing.T) {
	_, err := kustomize(t, withComponents("namespace: monitoring\n", "namespaced"))
	if err == nil || !strings.Contains(err.Error(), "namespace transformation produces ID conflict") {
		t.Errorf("error %v", err)
	}
	all, err := kustomize(t, withComponents("namespace: monitoring\n"), above("namespaced"))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(slices.DeleteFunc(slices.Clone(all), func(o runtime.Object) bool { return !isOfNamespacedObjects(o) })); n != 2 {
		t.Errorf("%d objects grant to read the namespace default, want Role and RoleBinding", n)
	}
}

// TestNothingIsSaidOfANamespaceThatOthersUse: no manifest but own-namespace has a Namespace, which could forbid pods of others.
func TestNothingIsSaidOfANamespaceThatOthersUse(t *testing.T) {
	for name, all := range everyKustomization(t) {
		if slices.Contains(kinds(all), "Namespace") {
			t.Errorf("%s has a Namespace", name)
		}
	}
	all, err := kustomize(t, withComponents("", "own-namespace"))
	if err != nil {
		t.Fatal(err)
	}
	if got := find[*corev1.Namespace](t, all, "statefleet").Labels["pod-security.kubernetes.io/enforce"]; got != "restricted" {
		t.Errorf("own-namespace enforces %q", got)
	}
}

// TestNoArgumentNamesTheFleetsNamespace: pods learn it from the API server, so that a user who changes it need not know of it.
func TestNoArgumentNamesTheFleetsNamespace(t *testing.T) {
	const namespace = "elsewhere"
	for _, c := range components(t) {
		all, err := kustomize(t, withComponents("namespace: "+namespace+"\n"), above(c))
		if err != nil {
			t.Fatal(err)
		}
		specs := map[string]corev1.PodSpec{}
		podSpecs(specs, c, all)
		for name, spec := range specs {
			for _, arg := range spec.Containers[0].Args {
				if strings.Contains(arg, namespace) || strings.Contains(arg, "namespace=statefleet") || strings.Contains(arg, "namespaces=statefleet") {
					t.Errorf("%s: argument %s", name, arg)
				}
			}
		}
	}
}
