package test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

// right is a row of the table of rights in docs/security.md, without its first cell: account, place, objects and verbs.
type right string

// rightsOf are what the roles of some objects allow, and whom.
func rightsOf(t *testing.T, all objects) (rights []right) {
	t.Helper()
	for _, object := range all {
		switch role := object.(type) {
		case *rbacv1.Role:
			where := "its namespace"
			if role.Name != "statefleet" {
				where = "the namespace `" + role.Namespace + "`"
			}
			rights = append(rights, rows(t, account(all, role.Name), where, role.Rules)...)
		case *rbacv1.ClusterRole:
			rights = append(rights, rows(t, account(all, role.Name), "the cluster", role.Rules)...)
		}
	}
	return rights
}

// account is who is bound to a role.
func account(all objects, role string) string {
	for _, object := range all {
		switch b := object.(type) {
		case *rbacv1.RoleBinding:
			if b.RoleRef.Name == role {
				return "`" + b.Subjects[0].Name + "`"
			}
		case *rbacv1.ClusterRoleBinding:
			if b.RoleRef.Name == role {
				return "`" + b.Subjects[0].Name + "`"
			}
		}
	}
	return "whom you bind to `" + role + "`"
}

// rows has a row for each rule. Rules for whole kinds make one row, which describes the kinds if they are many.
func rows(t *testing.T, account, where string, rules []rbacv1.PolicyRule) (rights []right) {
	t.Helper()
	row := func(on string, verbs []string) {
		rights = append(rights, right(fmt.Sprintf("%s | %s | %s | %s |", account, where, on, code(verbs))))
	}
	var kinds []string
	for _, rule := range rules {
		switch {
		case len(rule.NonResourceURLs) > 0:
			row("the path "+code(rule.NonResourceURLs), rule.Verbs)
		case len(rule.ResourceNames) > 0:
			row(code(rule.Resources)+" "+code(rule.ResourceNames), rule.Verbs)
		case !slices.Equal(rule.Verbs, []string{"list", "watch"}):
			row(code(rule.Resources), rule.Verbs)
		default:
			kinds = append(kinds, rule.Resources...)
		}
	}
	if len(kinds) > 0 {
		row(describe(t, kinds), []string{"list", "watch"})
	}
	return rights
}

func code(names []string) string { return "`" + strings.Join(names, "`, `") + "`" }

// describe says in words which kinds these are.
func describe(t *testing.T, kinds []string) string {
	t.Helper()
	text, err := os.ReadFile("../chart/files/kinds.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var known map[string]struct{ Default, Namespaced bool }
	if err := yaml.Unmarshal(text, &known); err != nil {
		t.Fatal(err)
	}
	sets := map[string][]string{}
	for name, kind := range known {
		sets["all built-in kinds"] = append(sets["all built-in kinds"], name)
		if !kind.Default {
			continue
		}
		sets["the kinds that are exported by default"] = append(sets["the kinds that are exported by default"], name)
		if name != "secrets" {
			sets["the same without `secrets`"] = append(sets["the same without `secrets`"], name)
		}
		if kind.Namespaced {
			sets["the namespaced kinds that are exported by default"] = append(sets["the namespaced kinds that are exported by default"], name)
		}
	}
	slices.Sort(kinds)
	for words, set := range sets {
		if slices.Sort(set); slices.Equal(set, kinds) {
			return words
		}
	}
	return code(kinds)
}

// TestRightsAreDocumented: the table of rights in docs/security.md has every right of the base, and every further right of each
// component, and no others.
func TestRightsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented, granted []string
	for line := range strings.Lines(string(text)) {
		if row := strings.TrimSpace(line); strings.HasPrefix(row, "| `base` |") || strings.HasPrefix(row, "| `components/") {
			documented = append(documented, row)
		}
	}
	base := rightsOf(t, build(t, "base"))
	for _, r := range base {
		granted = append(granted, "| `base` | "+string(r))
	}
	for _, c := range components(t) {
		all, err := kustomize(t, withComponents("", c))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rightsOf(t, all) {
			if !slices.Contains(base, r) {
				granted = append(granted, "| `components/"+c+"` | "+string(r))
			}
		}
	}
	slices.Sort(documented)
	slices.Sort(granted)
	if !slices.Equal(documented, granted) {
		t.Errorf("docs/security.md has\n%s\ngranted are\n%s", strings.Join(documented, "\n"), strings.Join(granted, "\n"))
	}
	if got := rightsOf(t, rendered(t, "{}")); len(got) == 0 || !sameRights(got, base) {
		t.Errorf("the chart grants\n%q, the base\n%q", got, base)
	}
}

func sameRights(a, b []right) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}
