package test

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fields has the types of a format's fields by path. The format is that of the values of another project's chart, or of
// an object whose Go types would be a large dependency. testdata/foreign has the fields that recipes may use, with the
// version of the format.
//
// In a path, "[]" is any element of a list and "*" any key. A field of the type object may contain anything.
type fields map[string]string

func foreign(t *testing.T, name string) fields {
	t.Helper()
	all := fields{}
	for line := range strings.Lines(readFile(t, filepath.Join("testdata/foreign", name+".txt"))) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		path, kind, ok := strings.Cut(line, " ")
		if !ok {
			t.Fatalf("%s: got line %q, want a path and a type", name, line)
		}
		all[path] = kind
	}
	return all
}

// check returns an error for each field of a value that the format does not have or has with another type.
func (f fields) check(path string, value any) error {
	if kind, ok := f[path]; ok {
		if !isKind(kind, value) {
			return fmt.Errorf("%s is %T, want %s", path, value, kind)
		}
		return nil
	}
	var errs []error
	switch v := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			child := strings.TrimPrefix(path+"."+key, ".")
			if any := path + ".*"; f.has(any) {
				child = any
			}
			if !f.has(child) {
				errs = append(errs, fmt.Errorf("%s does not exist", child))
				continue
			}
			errs = append(errs, f.check(child, v[key]))
		}
	case []any:
		for _, element := range v {
			errs = append(errs, f.check(path+"[]", element))
		}
	default:
		errs = append(errs, fmt.Errorf("%s is %T, want more than one value", path, value))
	}
	return errors.Join(errs...)
}

// has reports whether the format has a field with the path or below it.
func (f fields) has(path string) bool {
	if _, ok := f[path]; ok {
		return true
	}
	for known := range f {
		if strings.HasPrefix(known, path+".") || strings.HasPrefix(known, path+"[]") {
			return true
		}
	}
	return false
}

// isKind reports whether a value that was decoded from YAML or JSON has a type of OpenAPI.
func isKind(kind string, value any) bool {
	switch v := value.(type) {
	case bool:
		return kind == "boolean" || kind == "any"
	case string:
		return kind == "string" || kind == "int-or-string" || kind == "any"
	case float64:
		whole := v == float64(int64(v))
		return kind == "number" || kind == "any" || whole && (kind == "integer" || kind == "int-or-string")
	case map[string]any:
		return kind == "object" || kind == "any"
	case []any:
		return kind == "array" || kind == "any"
	}
	return false
}

// TestForeignFieldsFindMistakes checks that wrong names and wrong types are found on every level.
func TestForeignFieldsFindMistakes(t *testing.T) {
	f := fields{
		"spec.selector.matchLabels.*": "string", "spec.limit": "integer", "spec.free": "object",
		"spec.endpoints[].port": "int-or-string", "spec.endpoints[].names[]": "string",
	}
	right := func() map[string]any {
		return map[string]any{
			"selector":  map[string]any{"matchLabels": map[string]any{"a.b/c": "d"}},
			"endpoints": []any{map[string]any{"port": 80.0, "names": []any{"x"}}, map[string]any{"port": "http"}},
			"limit":     1.0, "free": map[string]any{"any": true},
		}
	}
	if err := f.check("spec", right()); err != nil {
		t.Error(err)
	}
	endpoint := func(spec map[string]any, i int) map[string]any { return spec["endpoints"].([]any)[i].(map[string]any) }
	selector := func(spec map[string]any) map[string]any { return spec["selector"].(map[string]any) }
	for want, change := range map[string]func(spec map[string]any){
		"spec.limits does not exist":           func(spec map[string]any) { spec["limits"] = 1.0 },
		"spec.limit is float64":                func(spec map[string]any) { spec["limit"] = 1.5 },
		"spec.limit is string":                 func(spec map[string]any) { spec["limit"] = "1" },
		"spec.endpoints is string":             func(spec map[string]any) { spec["endpoints"] = "http" },
		"spec.endpoints[].Port does not exist": func(spec map[string]any) { endpoint(spec, 1)["Port"] = "x" },
		"spec.endpoints[].names[] is bool":     func(spec map[string]any) { endpoint(spec, 0)["names"] = []any{true} },
		"spec.selector.labels does not exist":  func(spec map[string]any) { selector(spec)["labels"] = nil },
		"spec.selector.matchLabels.* is bool": func(spec map[string]any) {
			selector(spec)["matchLabels"].(map[string]any)["e"] = true
		},
		"spec.free is string": func(spec map[string]any) { spec["free"] = "x" },
	} {
		spec := right()
		change(spec)
		if err := f.check("spec", spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want %q in it", err, want)
		}
	}
}
