package generator

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// managed returns an entry of metadata.managedFields.
func managed(manager, version, subresource string, at metav1.Time, fields *metav1.FieldsV1) metav1.ManagedFieldsEntry {
	return metav1.ManagedFieldsEntry{
		Manager: manager, Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: version, Time: &at,
		FieldsType: "FieldsV1", FieldsV1: fields, Subresource: subresource,
	}
}

// managedFieldsOf returns the managedFields of an object that one manager has created.
func managedFieldsOf(manager, apiVersion string, created metav1.Time, obj runtime.Object) []metav1.ManagedFieldsEntry {
	return []metav1.ManagedFieldsEntry{managed(manager, apiVersion, "", created, fieldSet(obj, "metadata", "spec"))}
}

// cachedFieldSet returns the fieldSet of a shape. It computes each only once, because
// a fieldSet costs more than the rest of an object.
func (g *generator) cachedFieldSet(shape string, obj runtime.Object, top ...string) *metav1.FieldsV1 {
	set := g.fieldSets[shape]
	if set == nil {
		set = fieldSet(obj, top...)
		g.fieldSets[shape] = set
	}
	return set
}

// fieldSet returns the FieldsV1 of a manager that has set the given top-level fields
// of obj.
func fieldSet(obj runtime.Object, top ...string) *metav1.FieldsV1 {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
	if err != nil { // never for API objects
		return metav1.NewFieldsV1("{}")
	}
	keep := func(fields map[string]any, names ...string) {
		maps.DeleteFunc(fields, func(name string, _ any) bool { return !slices.Contains(names, name) })
	}
	keep(fields, top...)
	if meta, ok := fields["metadata"].(map[string]any); ok {
		keep(meta, "labels", "annotations", "ownerReferences", "generateName") // the server owns the rest
	}
	return metav1.NewFieldsV1("{" + strings.Join(fieldNames(fields), ",") + "}")
}

// fieldNames returns the members of the field set of a decoded JSON value: "f:" and
// the name for a field, "k:" and the key for an item of a list that has keys.
func fieldNames(value any) []string {
	var members []string
	add := func(prefix, name string, inner ...string) {
		members = append(members, strconv.Quote(prefix+name)+":{"+strings.Join(inner, ",")+"}")
	}
	switch v := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if strings.HasSuffix(name, "tatuses") {
				add("f:", name) // lists of container statuses are atomic
			} else {
				add("f:", name, fieldNames(v[name])...)
			}
		}
	case []any:
		for _, item := range v {
			key := listKey(item)
			if key == "" {
				break // an atomic list is owned as a whole
			}
			add("k:", key, append([]string{`".":{}`}, fieldNames(item)...)...)
		}
	}
	return members
}

// listKey returns the JSON of the fields that identify an item of a list. It is empty
// if there are none.
func listKey(item any) string {
	fields, ok := item.(map[string]any)
	if !ok {
		return ""
	}
	for _, names := range [][]string{{"containerPort", "protocol"}, {"mountPath"}, {"uid"}, {"name"}, {"type"}, {"ip"}} {
		key := map[string]any{}
		for _, name := range names {
			if v, ok := fields[name]; ok {
				key[name] = v
			}
		}
		if len(key) == len(names) {
			text, _ := json.Marshal(key) // scalars can always be encoded
			return string(text)
		}
	}
	return ""
}
