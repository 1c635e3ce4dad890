package main

import (
	"slices"
	"strings"

	"github.com/alecthomas/kingpin/v2"
)

// configFlag names the flag that names the configuration file. It is the only one that is no key of the file.
const configFlag = "config"

// otherKeys are keys of kube-state-metrics' configuration file that are no spelling of its flags, with the flags they stand
// for. See the table in docs/configuration.md.
func otherKeys() map[string]string {
	return map[string]string{
		"annotations_allow_list":      annotationsFlag,
		"custom_resource_config":      customFlag,
		"custom_resource_config_file": customFileFlag,
		"custom_resources_only":       "custom-resource-state-only",
		"labels_allow_list":           labelsFlag,
		"namespace":                   "pod-namespace",
		"use_api_server_cache":        "use-apiserver-cache",
	}
}

// Names of flags that are needed more than once.
const (
	customFlag      = "custom-resource-state-config"
	customFileFlag  = "custom-resource-state-config-file"
	labelsFlag      = "metric-labels-allowlist"
	annotationsFlag = "metric-annotations-allowlist"

	customStrictFlag = "custom-resource-state-strict"
)

// key is a setting of the configuration file.
type key struct {
	flag string
	form form
}

// Names of forms that are more than a scalar to be read.
const (
	boolForm = "true or false"
	listForm = "list of texts"
	keysForm = "lists of texts by kind"
)

// keys returns the settings by name: the flags' own names, those with underscores in place of dashes, and otherKeys.
func keys(flags []*kingpin.FlagModel) map[string]key {
	all := map[string]key{}
	for _, f := range flags {
		if !isSetting(f) {
			continue
		}
		k := key{flag: f.Name, form: formOf(f)}
		all[f.Name] = k
		all[strings.ReplaceAll(f.Name, "-", "_")] = k
	}
	for name, flag := range otherKeys() {
		all[name] = all[flag]
	}
	return all
}

// isSetting tells the flags that set something from those that ask for something or say where settings are.
func isSetting(f *kingpin.FlagModel) bool {
	return !f.Hidden && !slices.Contains([]string{configFlag, "help", "version"}, f.Name)
}

func formOf(f *kingpin.FlagModel) form {
	value := f.Value
	if n, ok := value.(named); ok {
		value = n.Value
	}
	if w, ok := value.(interface{ written() form }); ok {
		return w.written()
	}
	repeated, ok := value.(interface{ IsCumulative() bool })
	text := []string{"!!str"}
	switch {
	case f.IsBoolFlag():
		return form{boolForm, []string{"!!bool"}}
	case f.Name == labelsFlag || f.Name == annotationsFlag:
		return form{keysForm, text}
	case ok && repeated.IsCumulative():
		return form{listForm, text}
	default:
		return form{"text", text}
	}
}
