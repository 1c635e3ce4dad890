package test

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// TestWrongTypesNameTheKey checks that a value of the wrong type is an error with the key, for each key of the
// kube-state-metrics chart.
func TestWrongTypesNameTheKey(t *testing.T) {
	c := load(t)
	for key, given := range leaves(onDefaults(t), "") {
		var wrong any = "three"
		switch given.(type) {
		case nil:
			wrong = 7
		case string:
			wrong = map[string]any{"a": 1}
		}
		at := "at '/" + strings.ReplaceAll(key, ".", "/") + "'"
		_, err := renderChart(c, onDefaults(t, map[string]any{key: wrong}))
		if err == nil || !strings.Contains(err.Error(), at) {
			t.Errorf("%s=%v: got error %v, want one with %q", key, wrong, err, at)
		}
	}
}

// TestUnknownKeysAreNamed checks that an unknown key beside each key of the kube-state-metrics chart is an error with
// its path. The values in global are not checked, because they may belong to other charts.
func TestUnknownKeysAreNamed(t *testing.T) {
	c := load(t)
	places := map[string]bool{}
	for key := range leaves(onDefaults(t), "") {
		if at := strings.LastIndexByte(key, '.'); at > 0 {
			places[key[:at+1]] = true
		}
	}
	delete(places, "global.")
	places[""] = true
	if len(places) < 20 {
		t.Fatalf("got %d maps of values, want at least 20", len(places))
	}
	for _, place := range slices.Sorted(maps.Keys(places)) {
		at := strings.TrimSuffix("/"+strings.ReplaceAll(place, ".", "/"), "/")
		at = "at '" + at + "': additional properties 'mistyped' not allowed"
		_, err := renderChart(c, onDefaults(t, map[string]any{place + "mistyped": 1}))
		if err == nil || !strings.Contains(err.Error(), at) {
			t.Errorf("%smistyped: got error %v, want %q", place, err, at)
		}
	}
}

// TestSchemaHasTheFieldsOfKubernetes checks that the schema has all fields of security contexts, because it rejects
// unknown ones.
func TestSchemaHasTheFieldsOfKubernetes(t *testing.T) {
	type object struct {
		Properties map[string]json.RawMessage `json:"properties"`
	}
	schema := readYAML[struct {
		Properties  struct{ SecurityContext object }
		Definitions struct{ ContainerSecurityContext, SeccompProfile, Capabilities object }
	}](t, "../chart/values.schema.json")
	delete(schema.Properties.SecurityContext.Properties, "enabled")
	for _, c := range []struct {
		in any
		of object
	}{
		{corev1.PodSecurityContext{}, schema.Properties.SecurityContext},
		{corev1.SecurityContext{}, schema.Definitions.ContainerSecurityContext},
		{corev1.SeccompProfile{}, schema.Definitions.SeccompProfile},
		{corev1.Capabilities{}, schema.Definitions.Capabilities},
	} {
		var fields []string
		for i := range reflect.TypeOf(c.in).NumField() {
			name, _, _ := strings.Cut(reflect.TypeOf(c.in).Field(i).Tag.Get("json"), ",")
			fields = append(fields, name)
		}
		slices.Sort(fields)
		if has := slices.Sorted(maps.Keys(c.of.Properties)); !slices.Equal(fields, has) {
			t.Errorf("%T: the schema has fields %q, want %q", c.in, has, fields)
		}
	}
}

// TestNullOfEachKeyRendersOrNamesIt checks that the value null, which removes a default, renders or is an error with
// the key. It must not cause an error in a template.
func TestNullOfEachKeyRendersOrNamesIt(t *testing.T) {
	c := load(t)
	keys := map[string]bool{}
	for key := range leaves(onDefaults(t), "") {
		for at := len(key); at > 0; at = strings.LastIndexByte(key[:at], '.') {
			keys[key[:at]] = true
		}
	}
	for key := range keys {
		text, err := renderChart(c, onDefaults(t, map[string]any{key: nil}))
		if err == nil {
			decode(t, text)
			continue
		}
		name := key[strings.LastIndexByte(key, '.')+1:]
		if strings.Contains(err.Error(), "executing") || !strings.Contains(err.Error(), name) {
			t.Errorf("%s=null: got error %v, want one of the schema that names the key", key, err)
		}
	}
}
