package test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
)

// right is a row of the table of rights in docs/security.md without its first cell: account, scope, objects and verbs.
type right string

// rightsOf returns the rights that the roles among some objects grant.
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

// account returns the account that is bound to a role, as in the table.
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

// rows returns a row for each rule. Rules with the verbs list and watch share one row.
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

// describe returns a description of a known set of kinds, or else the names of the kinds.
func describe(t *testing.T, kinds []string) string {
	t.Helper()
	known := readYAML[map[string]struct{ Default, Namespaced bool }](t, "../chart/files/kinds.yaml")
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

// TestRightsAreDocumented checks that the table of rights in docs/security.md has the rights of the base and the
// additional rights of each component, and no others.
func TestRightsAreDocumented(t *testing.T) {
	var documented, granted []string
	for line := range strings.Lines(readFile(t, "../../docs/security.md")) {
		if row := strings.TrimSpace(line); strings.HasPrefix(row, "| `base` |") || strings.HasPrefix(row, "| `components/") {
			documented = append(documented, row)
		}
	}
	base := rightsOf(t, build(t, "base"))
	for _, r := range base {
		granted = append(granted, "| `base` | "+string(r))
	}
	for _, c := range components(t) {
		all := buildWith(t, c)
		for _, r := range rightsOf(t, all) {
			if !slices.Contains(base, r) {
				granted = append(granted, "| `components/"+c+"` | "+string(r))
			}
		}
	}
	slices.Sort(documented)
	slices.Sort(granted)
	if !slices.Equal(documented, granted) {
		t.Errorf("docs/security.md has\n%s\nwant\n%s", strings.Join(documented, "\n"), strings.Join(granted, "\n"))
	}
	if got := rightsOf(t, rendered(t, "{}")); len(got) == 0 || !sameRights(got, base) {
		t.Errorf("the chart grants\n%q, want the rights of the base\n%q", got, base)
	}
}

func sameRights(a, b []right) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}
