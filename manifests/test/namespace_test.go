package test

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// TestNamespaceOfTheUserHoldsForAllObjects checks that a user's namespace applies to all objects of the base and each
// component, and to the subjects of bindings. The kustomization with the namespace may list the components or be below
// them.
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
					t.Errorf("%s in %s: got %s in namespace %s", name, namespace, object.GetObjectKind().GroupVersionKind().Kind, in)
				}
				if n, ok := object.(*corev1.Namespace); ok && (!strings.HasPrefix(name, "own-namespace") || n.Name != namespace) {
					t.Errorf("%s in %s: got Namespace %s, want one with own-namespace only", name, namespace, n.Name)
				}
			}
		}
	}
}

// above returns a kustomization that adds a component on top of that of withComponents.
func above(component string) layer {
	return layer{"above", "resources: [../fleet]\ncomponents: [github.com/statefleet/statefleet/manifests/components/" + component + "?ref=v0.1.0]\n"}
}

// isOfNamespacedObjects reports whether an object is part of the right to read the namespace default, which the
// component namespaced grants.
func isOfNamespacedObjects(object runtime.Object) bool {
	switch o := object.(type) {
	case *rbacv1.Role:
		return o.Name == "statefleet-objects" && o.Namespace == "default"
	case *rbacv1.RoleBinding:
		return o.RoleRef.Name == "statefleet-objects" && o.Namespace == "default"
	}
	return false
}

// TestNamespacedRefusesToMoveItsRoles checks that a kustomization with a namespace cannot list the component
// namespaced, because it would move the roles out of the exported namespace. The namespace can be set below the
// component.
func TestNamespacedRefusesToMoveItsRoles(t *testing.T) {
	_, err := kustomize(t, withComponents("namespace: monitoring\n", "namespaced"))
	if err == nil || !strings.Contains(err.Error(), "namespace transformation produces ID conflict") {
		t.Errorf("got error %v, want an ID conflict", err)
	}
	all, err := kustomize(t, withComponents("namespace: monitoring\n"), above("namespaced"))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(slices.DeleteFunc(slices.Clone(all), func(o runtime.Object) bool { return !isOfNamespacedObjects(o) })); n != 2 {
		t.Errorf("got %d objects for the right to read the namespace default, want Role and RoleBinding", n)
	}
}

// TestOnlyOwnNamespaceHasANamespace checks that only the component own-namespace has a Namespace. Its labels could
// prevent pods of other applications in a shared namespace.
func TestOnlyOwnNamespaceHasANamespace(t *testing.T) {
	for name, all := range everyKustomization(t) {
		if slices.Contains(kinds(all), "Namespace") {
			t.Errorf("%s: got a Namespace, want none", name)
		}
	}
	all := buildWith(t, "own-namespace")
	if got := find[*corev1.Namespace](t, all, "statefleet").Labels["pod-security.kubernetes.io/enforce"]; got != "restricted" {
		t.Errorf("own-namespace: got enforced profile %q, want restricted", got)
	}
}

// TestNoArgumentNamesTheFleetsNamespace checks that arguments do not contain the namespace, so that users can change it
// in one place. Pods get it from the API server.
func TestNoArgumentNamesTheFleetsNamespace(t *testing.T) {
	const namespace = "elsewhere"
	for _, c := range components(t) {
		all, err := kustomize(t, withComponents("namespace: "+namespace+"\n"), above(c))
		if err != nil {
			t.Fatal(err)
		}
		for owner, template := range podTemplates(all) {
			for _, arg := range template.Spec.Containers[0].Args {
				if strings.Contains(arg, namespace) || strings.Contains(arg, "namespace=statefleet") || strings.Contains(arg, "namespaces=statefleet") {
					t.Errorf("%s, %s: got argument %s, want no namespace in it", c, owner, arg)
				}
			}
		}
	}
}
