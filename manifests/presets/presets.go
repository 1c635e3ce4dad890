// Package presets holds configurations of custom resource metrics for projects that many clusters run. Each file is one
// preset, in kube-state-metrics' format.
package presets

import (
	"embed"
	"strings"
)

//go:embed *.yaml
var files embed.FS

// Names returns the names of the presets, sorted.
func Names() (names []string) {
	entries, _ := files.ReadDir(".") // it is there
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	return names
}

// Read returns the configuration of a preset.
func Read(name string) ([]byte, error) { return files.ReadFile(name + ".yaml") }
