package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/alecthomas/kingpin/v2"
	"go.yaml.in/yaml/v3"
)

// position is where a configuration file sets a flag.
type position struct {
	file string
	line int
	key  string // as the file spells it
}

// errorf returns an error that names the position.
func (p position) errorf(format string, args ...any) error {
	return fmt.Errorf("--%s: %s:%d: %s: %w", configFlag, p.file, p.line, p.key, fmt.Errorf(format, args...))
}

// setting is a setting of a configuration file, as arguments of the command line.
type setting struct {
	position
	flag string
	args []string
}

// parseYAML parses a configuration file: one YAML mapping of settings. It checks names and types;
// the flags check the values. Errors name the file, the line and the key.
func parseYAML(file string, content []byte, flags []*kingpin.FlagModel) ([]setting, error) {
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
		return nil, fmt.Errorf("--%s: %s:%d: must be a mapping, got %s", configFlag, file, root.Line, describe(root))
	}
	var settings []setting
	for name, value := range pairs(root) {
		s, err := parseSetting(position{file, name.Line, name.Value}, value, flags)
		if err != nil {
			return nil, err
		}
		if i := slices.IndexFunc(settings, func(other setting) bool { return other.flag == s.flag }); i >= 0 {
			return nil, s.errorf("already set in line %d, as %s", settings[i].line, settings[i].key)
		}
		settings = append(settings, s)
	}
	return settings, nil
}

// pairs yields the names and values of a mapping. Aliases are resolved to the values they stand
// for.
func pairs(mapping *yaml.Node) iter.Seq2[*yaml.Node, *yaml.Node] {
	return func(yield func(name, value *yaml.Node) bool) {
		for i := 0; i+1 < len(mapping.Content); i += 2 {
			if !yield(mapping.Content[i], resolve(mapping.Content[i+1])) {
				return
			}
		}
	}
}

func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func parseSetting(at position, value *yaml.Node, flags []*kingpin.FlagModel) (setting, error) {
	f := lookUp(flags, at.key)
	switch {
	case at.key == configFlag:
		return setting{}, at.errorf("a configuration file cannot name another one")
	case f == nil:
		return setting{}, unknownKey(at, flags)
	}
	s := setting{position: at, flag: f.Name}
	texts, err := at.texts(value, typeOf(f))
	for _, text := range texts {
		arg := "--" + f.Name + "=" + text
		if f.IsBoolFlag() {
			arg = boolArg(f.Name, strings.EqualFold(text, "true"))
		}
		s.args = append(s.args, arg)
	}
	return s, err
}

func unknownKey(at position, flags []*kingpin.FlagModel) error {
	var known []string
	for _, f := range flags {
		if isSetting(f) {
			known = append(known, f.Name)
		}
	}
	hint := didYouMean(strings.ReplaceAll(at.key, "_", "-"), "", known)
	return at.errorf("unknown key; keys are the names of flags, without the leading dashes%s", hint)
}

// texts returns the values that a setting gives to its flag: exactly one, unless the flag is a list.
func (p position) texts(value *yaml.Node, typeName string) (texts []string, err error) {
	isList := typeName == listType || typeName == listsType
	switch {
	case isList && value.Kind == yaml.SequenceNode:
		return p.elements(value)
	case !isList || value.Kind != yaml.MappingNode:
		text, err := p.scalar(value, typeName)
		return []string{text}, err
	}
	for name, value := range pairs(value) {
		text := name.Value
		switch empty := len(value.Content) == 0 && (value.Kind != yaml.ScalarNode || value.ShortTag() == "!!null"); {
		case typeName == listType && !empty: // kube-state-metrics writes a list as a mapping with empty values
			p.line = value.Line
			return nil, p.errorf("%s: must be empty or {}, got %s", name.Value, describe(value))
		case typeName == listsType && value.Kind != yaml.SequenceNode:
			p.line = value.Line
			return nil, p.errorf("%s: must be a list, got %s", name.Value, describe(value))
		case typeName == listsType:
			elements, err := p.elements(value)
			if err != nil {
				return nil, err
			}
			text += "=[" + strings.Join(elements, ",") + "]"
		}
		texts = append(texts, text)
	}
	return texts, nil
}

func (p position) elements(sequence *yaml.Node) (texts []string, err error) {
	for _, element := range sequence.Content {
		text, err := p.scalar(resolve(element), textType)
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	return texts, nil
}

// scalar returns the text of a scalar as it stands in the file. The flag checks it later, except for
// booleans, which have no text on the command line.
func (p position) scalar(value *yaml.Node, typeName string) (string, error) {
	tag := value.ShortTag()
	if value.Kind == yaml.ScalarNode && tag != "!!null" && (typeName != boolType || tag == "!!bool") {
		return value.Value, nil
	}
	p.line = value.Line
	return "", p.errorf("must be of type %s, got %s", typeName, describe(value))
}

// describe describes a node for error messages.
func describe(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.ShortTag() == "!!null":
		return "nothing"
	}
	return fmt.Sprintf("%q", n.Value)
}

// ksmAliases returns the keys of kube-state-metrics' configuration file that differ from the names
// of its flags, with the flags they stand for. docs/configuration.md has the table.
func ksmAliases() map[string]string {
	return map[string]string{
		"annotations_allow_list":      annotationsFlag,
		"custom_resource_config":      customFlag,
		"custom_resource_config_file": customFileFlag,
		"custom_resources_only":       customOnlyFlag,
		"labels_allow_list":           labelsFlag,
		"namespace":                   "pod-namespace",
		"use_api_server_cache":        "use-apiserver-cache",
	}
}

// lookUp returns the flag that a key stands for, nil for an unknown key. A key is the name of a flag,
// the same with underscores in place of dashes, or an alias.
func lookUp(flags []*kingpin.FlagModel, key string) *kingpin.FlagModel {
	name, ok := ksmAliases()[key]
	if !ok {
		name = strings.ReplaceAll(key, "_", "-")
	}
	if i := slices.IndexFunc(flags, func(f *kingpin.FlagModel) bool { return f.Name == name && isSetting(f) }); i >= 0 {
		return flags[i]
	}
	return nil
}

// isSetting reports whether a configuration file may set a flag. It may not set those that ask for
// output or name the file.
func isSetting(f *kingpin.FlagModel) bool {
	return !f.Hidden && !slices.Contains([]string{configFlag, "help", "version"}, f.Name)
}

func typeOf(f *kingpin.FlagModel) string {
	own, isOwn := f.Value.(flagValue)
	switch {
	case isOwn:
		return own.kind
	case f.IsBoolFlag():
		return boolType
	case f.Name == labelsFlag || f.Name == annotationsFlag:
		return listsType
	}
	return textType
}
