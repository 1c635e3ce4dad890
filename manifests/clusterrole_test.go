// Package manifests has the manifests that run statefleet in a cluster. Its tests keep the generated parts in step with
// the list of kinds.
package manifests

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"github.com/statefleet/statefleet/resources"
)

var update = flag.Bool("update", false, "write the generated files")

// clusterRole returns a ClusterRole with the minimal rights to read the kinds: list and watch, with one rule for each
// API group.
func clusterRole(kinds []resources.Kind) []byte {
	groups := map[string][]string{}
	for _, k := range kinds {
		groups[k.Resource.Group] = append(groups[k.Resource.Group], k.Name())
	}
	var b bytes.Buffer
	b.WriteString(`# Generated from the list of kinds by "make generate".
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: statefleet
  labels:
    app.kubernetes.io/name: statefleet
rules:
`)
	for _, group := range slices.Sorted(maps.Keys(groups)) {
		fmt.Fprintf(&b, "  - apiGroups: [%q]\n    resources:\n", group)
		for _, r := range slices.Sorted(slices.Values(groups[group])) {
			fmt.Fprintf(&b, "      - %s\n", r)
		}
		b.WriteString("    verbs: [list, watch]\n")
	}
	return b.Bytes()
}

// TestClusterRoleGrantsTheDefaultKindsOnly checks that the base grants the kinds that the exporter reads by default,
// and no others. For further kinds, users add a component or their own rules.
func TestClusterRoleGrantsTheDefaultKindsOnly(t *testing.T) {
	var want []string
	for _, k := range resources.All() {
		if k.Default {
			want = append(want, k.Resource.Group+"/"+k.Name())
		}
	}
	var got []string
	for _, rule := range readRole(t, "base/clusterrole.yaml").Rules {
		if !slices.Equal(rule.Verbs, []string{"list", "watch"}) || len(rule.ResourceNames)+len(rule.NonResourceURLs) > 0 {
			t.Errorf("got rule %v, want the verbs list and watch only", rule)
		}
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				got = append(got, group+"/"+resource)
			}
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the ClusterRole grants\n%q, want the default kinds\n%q", got, want)
	}
}

func readRole(t *testing.T, file string) rbacv1.ClusterRole {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var role rbacv1.ClusterRole
	if err := yaml.UnmarshalStrict(b, &role); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return role
}

// TestNothingElseCanBeWritten checks that the exporter may write only the ConfigMap of its topology.
func TestNothingElseCanBeWritten(t *testing.T) {
	for _, file := range []string{"base/clusterrole.yaml", "base/role.yaml"} {
		role := readRole(t, file)
		if len(role.Rules) == 0 {
			t.Errorf("%s has no rules, want some", file)
		}
		for _, rule := range role.Rules {
			allowed := []string{"get", "list", "watch"}
			if role.Kind == "Role" && slices.Equal(rule.Resources, []string{"configmaps"}) && slices.Equal(rule.ResourceNames, []string{"statefleet-topology"}) {
				allowed = append(allowed, "update", "patch")
			}
			for _, verb := range rule.Verbs {
				if !slices.Contains(allowed, verb) {
					t.Errorf("%s grants %s on %v, want %v at most", file, verb, rule.Resources, allowed)
				}
			}
		}
	}
}
