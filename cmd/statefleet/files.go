package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kingpin/v2"
)

// file is a file with settings as it was read.
type file struct {
	kind    string // "config" or "customresourceconfig", as kube-state-metrics calls them in its metrics
	name    string
	content []byte
	missing bool // it could not be read
}

// readConfig puts what the configuration file says, if args name one, in front of them, but for the flags that they hold
// themselves.
func (f *flags) readConfig(app *kingpin.Application, args []string) ([]string, error) {
	given, name, ok := configOf(app, args)
	if !ok || name == "" {
		return args, nil
	}
	content, err := f.read(file{kind: "config", name: name}, configFlag)
	if err != nil {
		return nil, err
	}
	entries, err := parseConfig(name, content, keys(app.Model().Flags))
	if err != nil {
		return nil, err
	}
	f.origins = origins{}
	var set []string
	for _, e := range entries {
		if !given[e.flag] {
			f.origins[e.flag] = e.place
			set = append(set, e.args...)
		}
	}
	return append(set, args...), nil
}

// configOf returns the flags that args hold and the configuration file that they name. It is not ok to look into a file
// when the arguments are wrong, which will be seen once they are read for good, or ask for help and the like.
func configOf(app *kingpin.Application, args []string) (given map[string]bool, name string, ok bool) {
	parsed, err := app.ParseContext(args)
	if err != nil || parsed == nil {
		return nil, "", false
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
			return nil, "", false
		}
		given[m.Name] = true
	}
	return given, name, true
}

// readCustomConfig reads the configuration of custom resources into f.custom.
func (f *flags) readCustomConfig() error {
	if f.customFile == "" {
		return nil
	}
	if f.custom != "" {
		return fmt.Errorf("--%s and --%s exclude each other", customFlag, customFileFlag)
	}
	content, err := f.read(file{kind: "customresourceconfig", name: f.customFile}, customFileFlag)
	f.custom = string(content)
	return err
}

// read reads a file that a flag names and keeps it, for a reload to tell what has changed.
func (f *flags) read(from file, flag string) (content []byte, err error) {
	from.content, err = os.ReadFile(from.name)
	from.missing = err != nil
	f.files = append(f.files, from)
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", flag, err)
	}
	return from.content, nil
}

// same reports whether two configurations have the same result.
func (f *flags) same(other *flags) bool {
	return f.custom == other.custom && len(f.changes(other)) == 0
}

// changes returns the flags whose values differ, sorted.
func (f *flags) changes(other *flags) []string {
	var names []string
	for name, value := range f.values {
		if other.values[name] != value {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// origins tells of flags that a configuration file has set where it did.
type origins map[string]place

// explain adds to an error that names a flag the place in the file where that flag was set, if it was.
func (o origins) explain(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	for _, flag := range regexp.MustCompile(`--[a-z][a-z.-]*[a-z]`).FindAllString(text, -1) {
		if at, ok := o[flag[2:]]; ok {
			return located{at, strings.TrimPrefix(text, flag+": "), err}
		}
	}
	return err
}

// located is an error about a setting of the configuration file.
type located struct {
	place
	text string
	err  error
}

// Error implements error.
func (l located) Error() string { return l.errorf("%s", l.text).Error() }

// Unwrap returns the error without its place.
func (l located) Unwrap() error { return l.err }
