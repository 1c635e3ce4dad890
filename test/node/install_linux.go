package node

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/statefleet/statefleet/test/manifest"
)

// Image finds the archive for this architecture in a folder that "make image" has written. It returns the absolute path
// of the archive, and the name of the image in it.
func Image(dir string) (archive, image string, err error) {
	if dir, err = filepath.Abs(dir); err != nil { // programs of a node have another working directory
		return "", "", err
	}
	suffix := ".linux-" + runtime.GOARCH + ".tar"
	archives, err := filepath.Glob(filepath.Join(dir, "statefleet-*"+suffix))
	if err != nil || len(archives) != 1 {
		return "", "", errors.Join(fmt.Errorf("%s has %d image archives for %s, want 1", dir, len(archives), runtime.GOARCH), err)
	}
	version := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(archives[0]), "statefleet-"), suffix)
	return archives[0], "docker.io/library/statefleet:" + version, nil
}

// CreateNamespace creates a namespace that enforces the Pod Security Standard "restricted".
func (c *Cluster) CreateNamespace(ctx context.Context, name string) error {
	return c.Apply(ctx, `
apiVersion: v1
kind: Namespace
metadata: {name: %s, labels: {pod-security.kubernetes.io/enforce: restricted}}
`, name)
}

// Apply applies an object, as YAML with the verbs of package fmt for its arguments.
func (c *Cluster) Apply(ctx context.Context, text string, args ...any) error {
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(fmt.Appendf(nil, text, args...), &object.Object); err != nil {
		return err
	}
	applier, err := manifest.NewApplier(c.Config())
	if err != nil {
		return err
	}
	_, err = applier.Apply(ctx, object)
	return err
}

// Install applies a kustomization of this repository, or a file such as a rendering of the chart. It changes only the
// images, and the namespace of objects that have none. It returns a function that deletes the objects.
func (c *Cluster) Install(ctx context.Context, path, namespace, image string) (uninstall func(context.Context) error, err error) {
	objects, err := manifest.Load(path)
	if err != nil {
		return nil, err
	}
	applier, err := manifest.NewApplier(c.Config())
	if err != nil {
		return nil, err
	}
	for _, o := range objects {
		if o.GetNamespace() == "" {
			o.SetNamespace(namespace)
		}
		adapt(o, namespace, image)
		if _, err := applier.Apply(ctx, o); err != nil {
			return nil, err
		}
	}
	return func(ctx context.Context) error {
		var errs []error
		for _, o := range slices.Backward(objects) {
			errs = append(errs, applier.Delete(ctx, o))
		}
		return errors.Join(errs...)
	}, nil
}

// adapt sets the image of an object's containers, and the namespace of a binding's ServiceAccounts that have none.
func adapt(o *unstructured.Unstructured, namespace, image string) {
	each := func(set func(map[string]any), path ...string) {
		found, _, _ := unstructured.NestedFieldNoCopy(o.Object, path...)
		list, _ := found.([]any)
		for _, element := range list {
			if m, ok := element.(map[string]any); ok {
				set(m)
			}
		}
	}
	each(func(c map[string]any) { c["image"] = image }, "spec", "template", "spec", "containers")
	each(func(account map[string]any) {
		if account["kind"] == "ServiceAccount" && account["namespace"] == nil {
			account["namespace"] = namespace
		}
	}, "subjects")
}
