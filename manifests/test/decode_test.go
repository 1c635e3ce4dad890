// Package test renders the Helm chart and the kustomize overlays as helm and kustomize do, and decodes every object
// into its type of the Kubernetes API. It is a separate module, so that Helm is not a dependency of statefleet.
package test

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"slices"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write the rendered files")

// objects are decoded manifests in the order of the documents.
type objects []runtime.Object

// decode decodes YAML documents into their Go types. An unknown or duplicate field fails the test.
func decode(t *testing.T, text []byte) objects {
	t.Helper()
	types := runtime.NewScheme()
	if err := errors.Join(scheme.AddToScheme(types), monitoringv1.AddToScheme(types), monitoringv1alpha1.AddToScheme(types)); err != nil {
		t.Fatal(err)
	}
	vertical := schema.GroupVersionKind{Group: "autoscaling.k8s.io", Version: "v1", Kind: "VerticalPodAutoscaler"}
	types.AddKnownTypeWithName(vertical, &verticalPodAutoscaler{})
	decoder := serializer.NewCodecFactory(types, serializer.EnableStrict).UniversalDeserializer()
	var all objects
	for reader := utilyaml.NewDocumentDecoder(io.NopCloser(bytes.NewReader(text))); ; {
		document := make([]byte, len(text)+1)
		n, err := reader.Read(document)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if empty(document[:n]) {
			continue
		}
		object, _, err := decoder.Decode(document[:n], nil, nil)
		if err != nil {
			t.Fatalf("%v:\n%s", err, document[:n])
		}
		all = append(all, object)
	}
}

func readFile(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// readYAML decodes a file in YAML or JSON.
func readYAML[T any](t *testing.T, file string) (value T) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(readFile(t, file)), &value); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return value
}

// readStrictly is readYAML, but an unknown or duplicate field fails the test.
func readStrictly[T any](t *testing.T, file string) (value T) {
	t.Helper()
	if err := yaml.UnmarshalStrict([]byte(readFile(t, file)), &value); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return value
}

// empty reports whether a document has only comments and separators.
func empty(document []byte) bool {
	for line := range bytes.Lines(document) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' && !bytes.Equal(line, []byte("---")) {
			return false
		}
	}
	return true
}

// find returns the object with a type and name. It fails the test if there is none.
func find[T metav1.Object](t *testing.T, all objects, name string) T {
	t.Helper()
	for _, object := range all {
		if o, ok := object.(T); ok && o.GetName() == name {
			return o
		}
	}
	var none T
	t.Fatalf("got no %T %s, want one", none, name)
	return none
}

// kinds returns the kinds of the objects, sorted and without duplicates.
func kinds(all objects) []string {
	var names []string
	for _, object := range all {
		names = append(names, object.GetObjectKind().GroupVersionKind().Kind)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// checkNames reports objects with the same kind, namespace and name.
func checkNames(t *testing.T, all objects) {
	t.Helper()
	seen := map[string]bool{}
	for _, object := range all {
		o, err := meta.Accessor(object)
		if err != nil {
			t.Fatal(err)
		}
		id := object.GetObjectKind().GroupVersionKind().Kind + " " + o.GetNamespace() + "/" + o.GetName()
		if seen[id] {
			t.Errorf("got %s twice, want it once", id)
		}
		seen[id] = true
	}
}
