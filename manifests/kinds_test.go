package manifests

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/statefleet/statefleet/resources"
)

// chartKinds is what the chart's templates need to know of each kind, to write roles for those that are exposed.
func chartKinds(kinds []resources.Kind) []byte {
	var b bytes.Buffer
	b.WriteString(generated)
	for _, k := range kinds {
		fmt.Fprintf(&b, "%s: {group: %q, namespaced: %t, default: %t}\n", k.Name(), k.Resource.Group, k.Namespaced, k.Default)
	}
	return b.Bytes()
}

const generated = "# Generated from the list of kinds by \"make generate\".\n"

// objectsRole is the Role that reading the kinds takes in one namespace.
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

// resourcesPatch names the kinds in the arguments of the StatefulSet's container.
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

// TestKindsAreGenerated: what names kinds in the base, the chart, the components and the overlays follows from the list of kinds.
func TestKindsAreGenerated(t *testing.T) {
	byDefault := slices.DeleteFunc(resources.All(), func(k resources.Kind) bool { return !k.Default })
	namespaced := slices.DeleteFunc(slices.Clone(byDefault), func(k resources.Kind) bool { return !k.Namespaced })
	withoutSecrets := slices.DeleteFunc(slices.Clone(byDefault), func(k resources.Kind) bool { return k.Name() == "secrets" })
	for file, want := range map[string][]byte{
		"base/clusterrole.yaml":                       clusterRole(byDefault),
		"chart/files/kinds.yaml":                      chartKinds(resources.All()),
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
