package simulator

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// managed is an entry of metadata.managedFields for what fields describes.
func managed(manager, apiVersion, subresource string, at metav1.Time, fields *metav1.FieldsV1) metav1.ManagedFieldsEntry {
	return metav1.ManagedFieldsEntry{
		Manager:     manager,
		Operation:   metav1.ManagedFieldsOperationUpdate,
		APIVersion:  apiVersion,
		Time:        &at,
		FieldsType:  "FieldsV1",
		FieldsV1:    fields,
		Subresource: subresource,
	}
}

// ownedFields is the FieldsV1 of a manager that has set the given top-level
// fields of obj, which is anything that encodes as a JSON object.
func ownedFields[T any](obj T, top ...string) *metav1.FieldsV1 {
	var all map[string]any
	text, err := json.Marshal(obj)
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil { // not for API objects
		return metav1.NewFieldsV1("{}")
	}
	maps.DeleteFunc(all, func(name string, _ any) bool { return !slices.Contains(top, name) })
	if meta, ok := all["metadata"].(map[string]any); ok {
		// The rest of the metadata is the server's own.
		maps.DeleteFunc(meta, func(name string, _ any) bool {
			return !slices.Contains([]string{"labels", "annotations", "ownerReferences", "generateName"}, name)
		})
	}
	return metav1.NewFieldsV1(string(appendFields(nil, all)))
}

// fields makes the fields of a shape once: they cost more than the rest of an
// object.
func (g *generator) fields(shape string, of func() *metav1.FieldsV1) *metav1.FieldsV1 {
	made := g.ownedFields[shape]
	if made == nil {
		made = of()
		g.ownedFields[shape] = made
	}
	return made
}

// appendFields appends the set of fields of a decoded JSON value: "f:" and
// the name for a field, "k:" and the key for an item of a list that has one.
func appendFields(dst []byte, value any) []byte {
	dst = append(dst, '{')
	switch v := value.(type) {
	case map[string]any:
		for i, name := range slices.Sorted(maps.Keys(v)) {
			dst = appendComma(dst, i)
			dst = strconv.AppendQuote(dst, "f:"+name)
			if dst = append(dst, ':'); strings.HasSuffix(name, "tatuses") {
				dst = append(dst, "{}"...) // lists of container statuses are atomic
				continue
			}
			dst = appendFields(dst, v[name])
		}
	case []any:
		for i, item := range v {
			key, ok := listKey(item)
			if !ok {
				break // an atomic list is owned as a whole
			}
			dst = appendComma(dst, i)
			dst = strconv.AppendQuote(dst, "k:"+key)
			dst = append(dst, `:{".":{}`...)
			if fields := appendFields(nil, item); len(fields) > 2 {
				dst = append(append(dst, ','), fields[1:len(fields)-1]...)
			}
			dst = append(dst, '}')
		}
	}
	return append(dst, '}')
}

func appendComma(dst []byte, i int) []byte {
	if i > 0 {
		dst = append(dst, ',')
	}
	return dst
}

// listKey is what tells the items of a list apart, as JSON.
func listKey(item any) (string, bool) {
	fields, ok := item.(map[string]any)
	if !ok {
		return "", false
	}
	for _, names := range [][]string{{"containerPort", "protocol"}, {"mountPath"}, {"uid"}, {"name"}, {"type"}, {"ip"}} {
		key := map[string]any{}
		for _, name := range names {
			if v, ok := fields[name]; ok {
				key[name] = v
			}
		}
		if len(key) < len(names) {
			continue
		}
		text, err := json.Marshal(key)
		return string(text), err == nil
	}
	return "", false
}
