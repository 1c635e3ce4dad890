package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/statefleet/statefleet/benchmarks/widgets"
)

const (
	hostileSeries = 5_000
	widgetBytes   = "64KiB" // what Widgets may take
)

// withWidgets adds a custom resource to an API: two objects, one of which has thousands of values.
func withWidgets(next http.Handler) http.Handler {
	values := make([]string, hostileSeries)
	for i := range values {
		values[i] = fmt.Sprintf(`"key-%d":%d`, i, i)
	}
	return widgets.New(next, widgets.Object("hostile", strings.Join(values, ",")), widgets.Object("honest", `"only":1`))
}

// custom has a custom resource make more text than its kind may.
func (p *pressure) custom(ctx context.Context) error {
	config, err := p.file("widgets.yaml", widgets.Config)
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
