// Package presets embeds configurations of custom resource metrics for common projects. Each file is one preset, in the
// format of kube-state-metrics.
package presets

import (
	"embed"
	"strings"
)

//go:embed *.yaml
var files embed.FS

// Names returns the names of the presets, sorted.
func Names() (names []string) {
	entries, _ := files.ReadDir(".") // the root of an embed.FS always exists
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	return names
}

// Read returns the configuration of a preset in YAML. It returns an error if there is no such preset.
func Read(name string) ([]byte, error) { return files.ReadFile(name + ".yaml") }
