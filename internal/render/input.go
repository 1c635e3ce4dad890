package render

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// Source is a file of manifests.
type Source struct {
	Name   string // for messages
	Reader io.Reader
}

// Object is an object of a manifest.
type Object struct {
	// Place is where the object begins, such as "pods.yaml:12", or "pods.yaml:1: items[3]".
	Place string
	GVK   schema.GroupVersionKind
	// Namespace and Name are those of the metadata.
	Namespace, Name string
	raw             []byte // JSON
	fields          map[string]any
}

// Read reads manifests: YAML documents or JSON, each an object or a List. Its errors name file and
// line.
func Read(sources ...Source) (all []Object, err error) {
	var faults []error
	for _, s := range sources {
		objects, err := s.read()
		all = append(all, objects...)
		if err != nil {
			faults = append(faults, err)
		}
	}
	if len(faults) == 0 && len(all) == 0 {
		return nil, errors.New("there is no object in the input; YAML or JSON manifests are expected")
	}
	return all, errors.Join(faults...)
}

func (s Source) read() (all []Object, err error) {
	content, err := io.ReadAll(s.Reader)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Name, err)
	}
	documents, line := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content))), 1
	for {
		text, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, fmt.Errorf("%s:%d: %w", s.Name, line, err)
		}
		begin := line + blankLines(text)
		line += bytes.Count(text, []byte("\n")) + 1 // the separator
		objects, err := parse(fmt.Sprintf("%s:%d", s.Name, begin), text)
		if err != nil {
			return all, err
		}
		all = append(all, objects...)
	}
}

// blankLines counts the lines before the first that is neither empty nor a comment. A separator at the
// beginning of the input belongs to the first document.
func blankLines(text []byte) (n int) {
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' && !bytes.HasPrefix(line, []byte("---")) {
			return n
		}
		n++
	}
	return 0
}

// parse reads one document. place is where it begins.
func parse(place string, text []byte) ([]Object, error) {
	raw, err := yaml.YAMLToJSON(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", place, err)
	}
	if string(bytes.TrimSpace(raw)) == "null" {
		return nil, nil // comments only
	}
	var fields map[string]any
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber() // a float64 would round large integers
	if err := decoder.Decode(&fields); err != nil {
		return nil, fmt.Errorf("%s: must be an object with apiVersion and kind: %w", place, err)
	}
	return flatten(place, fields, schema.GroupVersionKind{})
}

// flatten returns an object, or the objects of a List. element is the type of elements that do not
// name theirs, as in a PodList.
func flatten(place string, fields map[string]any, element schema.GroupVersionKind) ([]Object, error) {
	u := unstructured.Unstructured{Object: fields}
	if u.GetKind() == "" && element.Kind != "" {
		u.SetGroupVersionKind(element)
	}
	gvk := u.GroupVersionKind()
	if gvk.Kind == "" || u.GetAPIVersion() == "" {
		return nil, fmt.Errorf("%s: must be an object with apiVersion and kind", place)
	}
	items, isList := fields["items"].([]any)
	if !isList || !strings.HasSuffix(gvk.Kind, "List") {
		raw, err := json.Marshal(fields)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", place, err)
		}
		return []Object{{Place: place, GVK: gvk, Namespace: u.GetNamespace(), Name: u.GetName(), raw: raw, fields: fields}}, nil
	}
	if gvk.Kind != "List" {
		element = gvk
		element.Kind = strings.TrimSuffix(gvk.Kind, "List")
	}
	var all []Object
	for i, item := range items {
		at := fmt.Sprintf("%s: items[%d]", place, i)
		fields, ok := item.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("%s: must be an object with apiVersion and kind", at)
		}
		objects, err := flatten(at, fields, element)
		if err != nil {
			return nil, err
		}
		all = append(all, objects...)
	}
	return all, nil
}
