package customresource

import (
	"errors"
	"fmt"

	"github.com/statefleet/statefleet/resources"
)

// CheckNames returns an error when a family that f selects is called as one that
// it selects of the built-in kinds, in the text format or in OpenMetrics: the
// samples of both would stand in one family, under the HELP of the first. The
// error joins up to 20 faults, in the form of those of [Parse].
func (c *Config) CheckNames(builtin []resources.Kind, f resources.Filter) error {
	taken, err := takenNames(builtin, f)
	if err != nil {
		return err
	}
	var faults []error
	for _, e := range c.entries {
		for _, m := range e.metrics {
			t, ok := taken[m.family.Name]
			if !ok {
				t, ok = taken[m.family.OpenMetricsName()]
			}
			if ok && f.Selects(*m.family) && len(faults) < maxFaults {
				faults = append(faults, fmt.Errorf("%s: %s clashes with %s of the built-in kind %s; another name, or another metricNamePrefix, is expected",
					m.place, m.family.Name, t.family, t.kind))
			}
		}
	}
	return errors.Join(faults...)
}

// takenName is a built-in family and its kind.
type takenName struct{ family, kind string }

// takenNames returns the names that the selected families of the built-in kinds have.
func takenNames(builtin []resources.Kind, f resources.Filter) (map[string]takenName, error) {
	taken := map[string]takenName{}
	for _, k := range builtin {
		r, err := k.Renderer(f)
		if err != nil {
			return nil, err
		}
		for _, family := range r.Families() {
			t := takenName{family.Name, k.Name()}
			taken[family.Name], taken[family.OpenMetricsName()] = t, t
		}
	}
	return taken, nil
}
