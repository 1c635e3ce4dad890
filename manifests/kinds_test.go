package manifests

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/statefleet/statefleet/manifests/presets"
	"github.com/statefleet/statefleet/resources"
	"github.com/statefleet/statefleet/resources/customresource"
)

// chartKinds returns the data of kinds from which the chart's templates make the roles for the exposed kinds.
func chartKinds(kinds []resources.Kind) []byte {
	var b bytes.Buffer
	b.WriteString(generated)
	for _, k := range kinds {
		fmt.Fprintf(&b, "%s: {group: %q, namespaced: %t, default: %t}\n", k.Name(), k.Resource.Group, k.Namespaced, k.Default)
	}
	return b.Bytes()
}

// chartPresets returns the data of presets from which the chart's templates make the roles for their kinds.
func chartPresets(t *testing.T) []byte {
	t.Helper()
	b := []byte("# Plurals of the kinds of each preset, by API group. Generated from manifests/presets by \"make generate\".\n")
	for _, name := range presets.Names() {
		text, err := presets.Read(name)
		if err != nil {
			t.Fatal(err)
		}
		c, err := customresource.ParseStrict(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		groups := map[string][]string{}
		for _, e := range c.Entries() {
			groups[e.GVK.Group] = append(groups[e.GVK.Group], customresource.UsualPlural(e.GVK.Kind))
		}
		b = fmt.Appendf(b, "%s:\n", name)
		for _, group := range slices.Sorted(maps.Keys(groups)) {
			slices.Sort(groups[group])
			b = fmt.Appendf(b, "  %s: [%s]\n", group, strings.Join(groups[group], ", "))
		}
	}
	return b
}

const generated = "# Generated from the list of kinds by \"make generate\".\n"

// objectsRole returns the Role with the rights to read the kinds in one namespace.
func objectsRole(kinds []resources.Kind) []byte {
	_, rules, _ := bytes.Cut(clusterRole(kinds), []byte("rules:\n"))
	return append([]byte(generated+`apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: statefleet-objects
  labels:
    app.kubernetes.io/name: statefleet
    app.kubernetes.io/component: metrics
    app.kubernetes.io/part-of: statefleet
rules:
`), rules...)
}

// resourcesPatch returns a patch that adds --resources with the kinds to the arguments of the StatefulSet's container.
func resourcesPatch(kinds []resources.Kind) []byte {
	var names []string
	for _, k := range kinds {
		names = append(names, k.Name())
	}
	return fmt.Appendf(nil, `%s- op: add
  path: /spec/template/spec/containers/0/args/-
  value: --resources=%s
`, generated, strings.Join(names, ","))
}

// TestKindsAreGenerated checks that the files with kinds in the base, the chart and the components match the list of
// kinds and the presets.
func TestKindsAreGenerated(t *testing.T) {
	byDefault := slices.DeleteFunc(resources.All(), func(k resources.Kind) bool { return !k.Default })
	namespaced := slices.DeleteFunc(slices.Clone(byDefault), func(k resources.Kind) bool { return !k.Namespaced })
	withoutSecrets := slices.DeleteFunc(slices.Clone(byDefault), func(k resources.Kind) bool { return k.Name() == "secrets" })
	for file, want := range map[string][]byte{
		"base/clusterrole.yaml":                       clusterRole(byDefault),
		"chart/files/kinds.yaml":                      chartKinds(resources.All()),
		"chart/files/presets.yaml":                    chartPresets(t),
		"components/all-kinds/clusterrole.yaml":       clusterRole(resources.All()),
		"components/all-kinds/resources.yaml":         resourcesPatch(resources.All()),
		"components/without-secrets/clusterrole.yaml": clusterRole(withoutSecrets),
		"components/without-secrets/resources.yaml":   resourcesPatch(withoutSecrets),
		"components/namespaced/default/role.yaml":     objectsRole(namespaced),
		"components/namespaced/resources.yaml":        resourcesPatch(namespaced),
	} {
		if *update {
			if err := os.WriteFile(file, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s differs from the list of kinds; run make generate", file)
		}
	}
}
