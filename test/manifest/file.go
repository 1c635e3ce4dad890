package manifest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/statefleet/statefleet/benchmarks/fleet"
)

// Load calls [Read] for a YAML file, and [Build] for a folder.
func Load(path string) ([]*unstructured.Unstructured, error) {
	if filepath.Ext(path) == ".yaml" {
		return Read(path)
	}
	return Build(path)
}

// Read returns the objects of a YAML file, such as a rendered chart, in the order of the file. The path is relative to
// the root of the repository.
func Read(path string) (objects []*unstructured.Unstructured, err error) {
	root, err := fleet.Root()
	if err != nil {
		return nil, err
	}
	file, err := os.Open(filepath.Join(root, path))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if objects, err = Decode(file); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return objects, nil
}

// Decode returns the objects of YAML documents in their order.
func Decode(documents io.Reader) (objects []*unstructured.Unstructured, err error) {
	for decoder := yaml.NewYAMLOrJSONDecoder(documents, 4096); ; {
		object := &unstructured.Unstructured{}
		switch err := decoder.Decode(&object.Object); {
		case errors.Is(err, io.EOF):
			return objects, nil
		case err != nil:
			return nil, err
		case len(object.Object) > 0:
			objects = append(objects, object)
		}
	}
}

// Definition returns a CustomResourceDefinition that replaces the real one of a namespaced kind. It accepts any
// content, so an object of it proves the names of group and kind, but not the fields.
func Definition(group, kind string) *unstructured.Unstructured {
	singular := strings.ToLower(kind)
	anything := map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1",
		"kind":       "CustomResourceDefinition",
		"metadata": map[string]any{
			"name":        singular + "s." + group,
			"annotations": map[string]any{"api-approved.kubernetes.io": "unapproved, test only"},
		},
		"spec": map[string]any{
			"group": group, "scope": "Namespaced",
			"names": map[string]any{"kind": kind, "plural": singular + "s", "singular": singular, "listKind": kind + "List"},
			"versions": []any{map[string]any{
				"name": "v1", "served": true, "storage": true, "schema": map[string]any{"openAPIV3Schema": anything},
			}},
		},
	}}
}
