package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// place is where a configuration file sets a flag.
type place struct {
	file string
	line int
	key  string // as it is spelled there
}

// errorf returns an error that names the place.
func (p place) errorf(format string, args ...any) error {
	return fmt.Errorf("--%s: %s:%d: %s: %w", configFlag, p.file, p.line, p.key, fmt.Errorf(format, args...))
}

// entry is a setting of a configuration file, as the command line would have it.
type entry struct {
	place
	flag string
	args []string
}

// parseConfig reads a configuration file: one YAML mapping of settings. It is strict about names and types; whether a value
// makes sense is for the flag to say. The error names the file, the line and the key at fault.
func parseConfig(file string, content []byte, known map[string]key) ([]entry, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	var document, more yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, fmt.Errorf("--%s: %s: empty; write {} for no settings", configFlag, file)
	case err != nil:
		return nil, fmt.Errorf("--%s: %s: %w", configFlag, file, err)
	}
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("--%s: %s: more than one YAML document", configFlag, file)
	}
	root := document.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("--%s: %s:%d: want a mapping of settings, not %s", configFlag, file, root.Line, describe(root))
	}
	var entries []entry
	for name, value := range pairs(root) {
		e, err := readEntry(place{file, name.Line, name.Value}, value, known)
		if err != nil {
			return nil, err
		}
		if i := slices.IndexFunc(entries, func(other entry) bool { return other.flag == e.flag }); i >= 0 {
			return nil, e.errorf("set in line %d already, as %s", entries[i].line, entries[i].key)
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// pairs yields the names and values of a mapping.
func pairs(mapping *yaml.Node) func(yield func(name, value *yaml.Node) bool) {
	return func(yield func(name, value *yaml.Node) bool) {
		for i := 0; i+1 < len(mapping.Content); i += 2 {
			if !yield(mapping.Content[i], resolve(mapping.Content[i+1])) {
				return
			}
		}
	}
}

// resolve follows a YAML alias to what it stands for, which is never an alias itself.
func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func readEntry(at place, value *yaml.Node, known map[string]key) (entry, error) {
	k, ok := known[at.key]
	switch {
	case at.key == configFlag:
		return entry{}, at.errorf("a configuration file cannot name another one")
	case !ok:
		return entry{}, at.errorf("unknown key; the keys are the names of the flags, without the dashes in front")
	}
	e := entry{place: at, flag: k.flag}
	texts, err := e.texts(value, k.form)
	for _, text := range texts {
		e.args = append(e.args, e.argument(text, k.form))
	}
	return e, err
}

// argument is the setting on the command line.
func (e entry) argument(text string, f form) string {
	if f.name != boolForm {
		return "--" + e.flag + "=" + text
	}
	if on, err := strconv.ParseBool(text); err == nil && !on {
		return "--no-" + e.flag
	}
	return "--" + e.flag
}

// texts returns the values that the setting gives to its flag, more than one for lists only.
func (e entry) texts(value *yaml.Node, f form) ([]string, error) {
	several := f.name == listForm || f.name == keysForm
	switch {
	case value.Kind == yaml.SequenceNode && several:
		return e.elements(value, f)
	case value.Kind == yaml.MappingNode && f.name == keysForm:
		return e.kinds(value, f)
	case value.Kind == yaml.MappingNode && several:
		return e.names(value)
	}
	text, err := e.text(value, f)
	return []string{text}, err
}

func (e entry) text(value *yaml.Node, f form) (string, error) {
	if value.Kind != yaml.ScalarNode || !slices.Contains(f.tags, value.ShortTag()) {
		e.line = value.Line
		hint := ""
		if value.Kind == yaml.ScalarNode && value.ShortTag() != "!!null" && slices.Contains(f.tags, "!!str") {
			hint = "; put it in quotes"
		}
		return "", e.errorf("want %s, not %s%s", f.name, describe(value), hint)
	}
	return value.Value, nil
}

func (e entry) elements(list *yaml.Node, f form) ([]string, error) {
	var texts []string
	for _, element := range list.Content {
		text, err := e.text(resolve(element), form{"text", f.tags})
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	return texts, nil
}

// names reads a set in the form that kube-state-metrics gives to it: a mapping whose values are empty.
func (e entry) names(set *yaml.Node) ([]string, error) {
	var texts []string
	for name, value := range pairs(set) {
		if len(value.Content) > 0 || value.Kind == yaml.ScalarNode && value.ShortTag() != "!!null" {
			e.line = value.Line
			return nil, e.errorf("%s: want nothing or {}, not %s", name.Value, describe(value))
		}
		texts = append(texts, name.Value)
	}
	return texts, nil
}

// kinds reads a mapping of kinds to the keys of their labels or annotations.
func (e entry) kinds(mapping *yaml.Node, f form) ([]string, error) {
	var texts []string
	for name, value := range pairs(mapping) {
		if value.Kind != yaml.SequenceNode {
			e.line = value.Line
			return nil, e.errorf("%s: want a list, not %s", name.Value, describe(value))
		}
		list, err := e.elements(value, f)
		if err != nil {
			return nil, err
		}
		texts = append(texts, name.Value+"=["+strings.Join(list, ",")+"]")
	}
	return texts, nil
}

// describe says what a node is, for people to read.
func describe(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.ShortTag() == "!!null":
		return "nothing"
	case n.ShortTag() == "!!str":
		return fmt.Sprintf("the text %q", n.Value)
	default:
		return fmt.Sprintf("%s, which YAML reads as %s", n.Value, n.ShortTag()[2:])
	}
}
