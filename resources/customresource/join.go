package customresource

import (
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
	taken := takenNames{}
	for _, e := range more.entries {
		for _, m := range e.metrics {
			if f.Selects(*m.family) {
				taken.add(*m.family, m.place)
			}
		}
	}
	if err := c.checkNames(taken, f); err != nil {
		return nil, err
	}
	return &Config{
		strict:   c.strict,
		entries:  slices.Concat(c.entries, more.entries),
		warnings: slices.Concat(c.warnings, more.warnings),
	}, nil
}
