package config

import (
	"slices"
	"strings"

	"github.com/alecthomas/kingpin/v2"
)

// ksmAliases returns keys of kube-state-metrics' configuration file that are no spelling of its flags, with the flags they
// stand for. docs/configuration.md has the table.
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

// key is a setting that a configuration file may have.
type key struct {
	flag, typeName string
}

// Types of flags.
const (
	textType  = "text"
	boolType  = "boolean"
	listType  = "list of texts"
	listsType = "lists of texts by kind"
)

// keys returns the keys by name: the flags' own names, the same with underscores in place of dashes, and the aliases.
func keys(flags []*kingpin.FlagModel) map[string]key {
	all := map[string]key{}
	for _, f := range flags {
		if isSetting(f) {
			k := key{f.Name, typeOf(f)}
			all[f.Name], all[strings.ReplaceAll(f.Name, "-", "_")] = k, k
		}
	}
	for name, flag := range ksmAliases() {
		all[name] = all[flag]
	}
	return all
}

// isSetting is false for flags that ask for output or name the file.
func isSetting(f *kingpin.FlagModel) bool {
	return !f.Hidden && !slices.Contains([]string{configFlag, "help", "version"}, f.Name)
}

func typeOf(f *kingpin.FlagModel) string {
	if own, ok := f.Value.(flagValue); ok {
		if typed, ok := own.Value.(interface{ typeName() string }); ok {
			return typed.typeName()
		}
	}
	switch {
	case f.IsBoolFlag():
		return boolType
	case f.Name == labelsFlag || f.Name == annotationsFlag:
		return listsType
	}
	return textType
}
