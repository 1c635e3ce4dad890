package config

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/alecthomas/kingpin/v2"
)

// File is a file with settings as it was read.
type File struct {
	Type    string // "config" or "customresourceconfig", as in kube-state-metrics' metrics
	Name    string
	Content []byte
	Missing bool // it could not be read
}

// Read reads the file again.
func (f File) Read() (File, error) {
	content, err := os.ReadFile(f.Name)
	return File{f.Type, f.Name, content, err != nil}, err
}

// Equal reports whether two reads of one file had the same result.
func (f File) Equal(other File) bool {
	return f.Missing == other.Missing && bytes.Equal(f.Content, other.Content)
}

// read reads a file that a flag names, and records it.
func (c *Config) read(f File, flag string) (content []byte, err error) {
	f, err = f.Read()
	c.Files = append(c.Files, f)
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", flag, err)
	}
	return f.Content, nil
}

// readConfig prepends the settings of the configuration file, if args name one, to args, except for
// flags that args have themselves.
func (c *Config) readConfig(app *kingpin.Application, args []string) ([]string, error) {
	given, name := scan(app, args)
	switch {
	case name == "" && given[configFlag]:
		return nil, fmt.Errorf("--%s: must be the name of a file, got \"\"", configFlag)
	case name == "":
		return args, nil
	}
	content, err := c.read(File{Type: "config", Name: name}, configFlag)
	if err != nil {
		return nil, err
	}
	settings, err := parseYAML(name, content, app.Model().Flags)
	if err != nil {
		return nil, err
	}
	c.positions = map[string]position{}
	var merged []string
	for _, s := range settings {
		if !given[s.flag] {
			c.positions[s.flag] = s.position
			merged = append(merged, s.args...)
		}
	}
	return append(merged, args...), nil
}

// scan returns the flags that args have, and the configuration file that they name. It names no
// file if args ask for help and the like, or if they are wrong, which the parser will report.
func scan(app *kingpin.Application, args []string) (given map[string]bool, name string) {
	parsed, err := app.ParseContext(args)
	if err != nil || parsed == nil {
		return nil, ""
	}
	given = map[string]bool{}
	for _, e := range parsed.Elements {
		clause, isFlag := e.Clause.(*kingpin.FlagClause)
		if !isFlag {
			continue
		}
		m := clause.Model()
		switch {
		case m.Name == configFlag && name == "" && e.Value != nil:
			name = *e.Value
		case !isSetting(m):
			return nil, ""
		}
		given[m.Name] = true
	}
	return given, name
}

// readCustomConfig reads the configuration of custom resources.
func (c *Config) readCustomConfig() error {
	if c.raw.customFile == "" {
		return nil
	}
	if c.raw.custom != "" {
		return fmt.Errorf("--%s and --%s exclude each other", customFlag, customFileFlag)
	}
	content, err := c.read(File{Type: "customresourceconfig", Name: c.raw.customFile}, customFileFlag)
	c.raw.custom = string(content)
	return err
}

// Locate adds to an error that names a flag the position in the configuration file that sets the
// flag, if one does.
func (c *Config) Locate(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	for _, flag := range regexp.MustCompile(`--[a-z][a-z.-]*[a-z]`).FindAllString(text, -1) {
		if at, ok := c.positions[flag[2:]]; ok {
			return at.errorf("%s", strings.TrimPrefix(text, flag+": "))
		}
	}
	return err
}
