package config

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/statefleet/statefleet/manifests/presets"
	"github.com/statefleet/statefleet/resources/customresource"
)

// deriveCustom parses the configuration of custom resources and adds the presets to it. Errors name
// the flag.
func (c *Config) deriveCustom() error {
	switch {
	case c.raw.customFile != "":
		c.CustomSource = "--" + customFileFlag + ": " + c.raw.customFile
	case c.raw.custom != "":
		c.CustomSource = "--" + customFlag
	case len(c.raw.presets) > 0:
		c.CustomSource = "--" + presetFlag
	case c.raw.customOnly:
		return fmt.Errorf("--%s needs --%s, --%s or --%s", customOnlyFlag, customFlag, customFileFlag, presetFlag)
	default:
		return nil
	}
	custom, err := c.parseCustom()
	if err == nil {
		err = custom.CheckNames(c.Kinds, c.Filter)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", c.CustomSource, err)
	}
	c.Custom = custom
	return nil
}

func (c *Config) parseCustom() (all *customresource.Config, err error) {
	all = &customresource.Config{}
	if c.raw.customFile != "" || c.raw.custom != "" {
		parse := customresource.Parse
		if c.raw.customStrict {
			parse = customresource.ParseStrict
		}
		if all, err = parse(strings.NewReader(c.raw.custom)); err != nil {
			return nil, err
		}
	}
	for _, name := range c.raw.presets {
		preset, err := parsePreset(name)
		if err == nil {
			all, err = all.Join(preset, c.Filter)
		}
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

func parsePreset(name string) (*customresource.Config, error) {
	text, err := presets.Read(name)
	if err != nil {
		return nil, err
	}
	preset, err := customresource.ParseStrict(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("preset %s: %w", name, err)
	}
	return preset.Named("preset " + name), nil
}

func checkPreset(name string) error {
	if known := presets.Names(); !slices.Contains(known, name) {
		return fmt.Errorf("unknown preset %q; known are %s%s", name, strings.Join(known, ", "), didYouMean(name, "", known))
	}
	return nil
}
