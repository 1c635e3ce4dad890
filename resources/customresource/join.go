package customresource

import (
	"errors"
	"fmt"
	"slices"

	"github.com/statefleet/statefleet/resources"
)

// Named returns a copy of the configuration whose places begin with a name. This distinguishes them from the places of
// another configuration in errors and in the log.
func (c *Config) Named(name string) *Config {
	named := &Config{strict: c.strict}
	for _, w := range c.warnings {
		named.warnings = append(named.warnings, name+": "+w)
	}
	for _, e := range c.entries {
		copied := *e
		copied.place, copied.metrics = name+": "+e.place, nil
		for _, m := range e.metrics {
			other := *m
			other.place = name + ": " + m.place
			copied.metrics = append(copied.metrics, &other)
		}
		named.entries = append(named.entries, &copied)
	}
	return named
}

// Join returns a configuration with the entries of both, which is strict if c is. No family may be in both: the error
// joins up to 20 errors, one for each family that f selects in both, by its name in the text format or in OpenMetrics.
func (c *Config) Join(more *Config, f resources.Filter) (*Config, error) {
	taken := map[string]*metric{}
	for _, e := range more.entries {
		for _, m := range e.metrics {
			taken[m.family.Name], taken[m.family.OpenMetricsName()] = m, m
		}
	}
	var faults []error
	for _, e := range c.entries {
		for _, m := range e.metrics {
			other := taken[m.family.Name]
			if other == nil {
				other = taken[m.family.OpenMetricsName()]
			}
			if other != nil && f.Selects(*m.family) && f.Selects(*other.family) && len(faults) < maxFaults {
				faults = append(faults, fmt.Errorf("%s: %s clashes with %s of %s; another name, or another metricNamePrefix, "+
					"is expected", m.place, m.family.Name, other.family.Name, other.place))
			}
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return &Config{
		strict:   c.strict,
		entries:  slices.Concat(c.entries, more.entries),
		warnings: slices.Concat(c.warnings, more.warnings),
	}, nil
}
