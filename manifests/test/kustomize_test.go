package test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// build does the same as "kubectl kustomize manifests/FOLDER".
func build(t *testing.T, folder string) objects {
	t.Helper()
	all, err := buildFolder(t, filepath.Join("..", folder))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func buildFolder(t *testing.T, path string) (objects, error) {
	t.Helper()
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), path)
	if err != nil {
		return nil, err
	}
	text, err := built.AsYaml()
	if err != nil {
		return nil, err
	}
	all := decode(t, text)
	checkNames(t, all)
	return all, nil
}

// layer is a kustomization of a user in its own folder.
type layer struct{ folder, text string }

// remote matches a user's reference to a folder of manifests.
var remote = regexp.MustCompile(`github\.com/statefleet/statefleet/manifests/([a-z/-]+)\?ref=v\d+\.\d+\.\d+`)

// kustomize writes some kustomizations and builds the last one. References to the repository on GitHub are replaced by
// paths in this working tree.
func kustomize(t *testing.T, layers ...layer) (objects, error) {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	manifests, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	var last string
	for _, l := range layers {
		last = filepath.Join(root, l.folder)
		if err := os.MkdirAll(last, 0o755); err != nil {
			t.Fatal(err)
		}
		here, err := filepath.Rel(last, manifests)
		if err != nil {
			t.Fatal(err)
		}
		text := remote.ReplaceAllString(l.text, here+"/$1")
		if err := os.WriteFile(filepath.Join(last, "kustomization.yaml"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return buildFolder(t, last)
}

// withComponents returns a kustomization of the base and components, in this order, with more lines at its end.
func withComponents(more string, components ...string) layer {
	const manifests = "github.com/statefleet/statefleet/manifests"
	var b strings.Builder
	fmt.Fprintf(&b, "resources: [%s/base?ref=v0.1.0]\n", manifests)
	if len(components) > 0 {
		b.WriteString("components:\n")
	}
	for _, c := range components {
		fmt.Fprintf(&b, "  - %s/components/%s?ref=v0.1.0\n", manifests, c)
	}
	b.WriteString(more)
	return layer{"fleet", b.String()}
}

// buildWith returns the objects of the base with components, in this order.
func buildWith(t *testing.T, components ...string) objects {
	t.Helper()
	all, err := kustomize(t, withComponents("", components...))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// components returns the names of all components in an order that works, with auth-filter last.
func components(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../components/*/kustomization.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no components:", err)
	}
	var names []string
	for _, file := range files {
		if name := filepath.Base(filepath.Dir(file)); name != "auth-filter" {
			names = append(names, name)
		}
	}
	return append(names, "auth-filter")
}

// checkSubjects returns an error if a binding has no subjects, or one that is not a service account among the objects.
func checkSubjects(all objects) error {
	accounts := map[string]bool{}
	for _, object := range all {
		if o, err := meta.Accessor(object); err == nil && object.GetObjectKind().GroupVersionKind().Kind == "ServiceAccount" {
			accounts[o.GetNamespace()+"/"+o.GetName()] = true
		}
	}
	for _, object := range all {
		name, subjects := "", []rbacv1.Subject(nil)
		switch o := object.(type) {
		case *rbacv1.RoleBinding:
			name, subjects = "RoleBinding "+o.Namespace+"/"+o.Name, o.Subjects
		case *rbacv1.ClusterRoleBinding:
			name, subjects = "ClusterRoleBinding "+o.Name, o.Subjects
		default:
			continue
		}
		if len(subjects) == 0 {
			return fmt.Errorf("%s has no subjects", name)
		}
		for _, s := range subjects {
			if s.Kind != rbacv1.ServiceAccountKind || !accounts[s.Namespace+"/"+s.Name] {
				return fmt.Errorf("%s binds %s %s/%s, want an existing service account", name, s.Kind, s.Namespace, s.Name)
			}
		}
	}
	return nil
}

func accessor(t *testing.T, object runtime.Object) metav1.Object {
	t.Helper()
	o, err := meta.Accessor(object)
	if err != nil {
		t.Fatal(err)
	}
	return o
}
