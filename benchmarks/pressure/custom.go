package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// widgetMetrics exports each entry of a map of each Widget.
const widgetMetrics = `
kind: CustomResourceStateMetrics
spec:
  resources:
  - groupVersionKind: {group: example.com, version: v1, kind: Widget}
    labelsFromPath: {name: [metadata, name]}
    metrics:
    - name: value
      help: One series for each key of a map.
      each: {type: Gauge, gauge: {path: [status, values], labelFromKey: key}}
`

const (
	hostileSeries = 5_000
	widgetBytes   = "64KiB" // what Widgets may take
)

// withWidgets adds a custom resource to an API: its definition and two objects, one
// of which has thousands of values.
func withWidgets(next http.Handler) http.Handler {
	values := map[string]int{}
	for i := range hostileSeries {
		values[fmt.Sprintf("key-%d", i)] = i
	}
	type object = map[string]any
	widget := func(name string, values map[string]int) object {
		return object{
			"apiVersion": "example.com/v1", "kind": "Widget", "status": object{"values": values},
			"metadata": object{"name": name, "namespace": "default", "uid": name, "resourceVersion": "1"},
		}
	}
	lists := map[string]object{
		"/apis/example.com/v1/widgets": {
			"apiVersion": "example.com/v1", "kind": "WidgetList", "metadata": object{"resourceVersion": "1"},
			"items": []object{widget("hostile", values), widget("honest", map[string]int{"only": 1})},
		},
		"/apis/apiextensions.k8s.io/v1/customresourcedefinitions": {
			"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinitionList", "metadata": object{"resourceVersion": "1"},
			"items": []object{{
				"metadata": object{"name": "widgets.example.com", "uid": "d", "resourceVersion": "1"},
				"spec": object{"group": "example.com", "scope": "Namespaced", "names": object{"kind": "Widget", "plural": "widgets"},
					"versions": []object{{"name": "v1", "served": true, "storage": true}}},
				"status": object{"conditions": []object{{"type": "Established", "status": "True"}}},
			}},
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		list := lists[r.URL.Path]
		query := r.URL.Query()
		switch {
		case list == nil:
			next.ServeHTTP(w, r)
			return
		case query.Has("sendInitialEvents"): // lists are enough
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnprocessableEntity)
			_ = json.NewEncoder(w).Encode(object{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Invalid", "code": http.StatusUnprocessableEntity})
		case query.Get("watch") != "":
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusOK)
			w.(http.Flusher).Flush()
			<-r.Context().Done() // nothing ever changes
		default:
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(list)
		}
	})
}

// custom has a custom resource make more text than its kind may.
func (p *pressure) custom(ctx context.Context) error {
	config, err := p.file("widgets.yaml", widgetMetrics)
	if err != nil {
		return err
	}
	flags := []string{"--custom-resource-state-only", "--custom-resource-state-config-file=" + config, "--byte-limit=" + widgetBytes}
	r, lines, err := p.begin(ctx, flags...)
	if err != nil {
		return err
	}
	defer r.stop()
	honest, hostile := 0, 0
	for line := range lines {
		switch {
		case strings.Contains(line, `name="honest"`):
			honest++
		case strings.Contains(line, `name="hostile"`):
			hostile++
		}
	}
	self, err := r.Self(ctx)
	if err != nil {
		return err
	}
	leftOut := self.Sum("statefleet_objects_processed_total", "outcome", "over_limit")
	if honest != 1 || hostile != 0 || leftOut == 0 {
		return fmt.Errorf("%d series of the honest object and %d of the hostile one, %.0f counted as left out", honest, hostile, leftOut)
	}
	return r.row("custom resource", "an object with %d series beyond --byte-limit=%s is left out and counted, the other one is there", hostileSeries, widgetBytes)
}
