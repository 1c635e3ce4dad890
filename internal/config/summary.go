package config

import (
	"io"
	"maps"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"github.com/statefleet/statefleet/resources"
	"github.com/statefleet/statefleet/resources/customresource"
)

// summary is what the settings select, as check-config prints it.
type summary struct {
	Kinds           []selectedKind      `json:"kinds"`
	CustomResources []selectedKind      `json:"customResources,omitempty"`
	Warnings        []string            `json:"warnings,omitempty"`
	Rules           []rbacv1.PolicyRule `json:"rules"`
}

// selectedKind is a kind and its families.
type selectedKind struct {
	Resource   string   `json:"resource"`
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind,omitempty"`
	Namespaced *bool    `json:"namespaced,omitempty"` // nil: only the API server knows
	Labels     string   `json:"labelSelector,omitempty"`
	Fields     string   `json:"fieldSelector,omitempty"`
	Families   []string `json:"families"`

	group string // of APIVersion
}

// WriteSummary writes as YAML what the settings select: kinds with the families of each, warnings,
// and the RBAC rules that reading the kinds takes. Those for the fleet itself are in the manifests.
func (c *Config) WriteSummary(w io.Writer) error {
	all := summary{Warnings: c.Warnings()}
	if c.ExposesNothing() {
		all.Warnings = append(all.Warnings, "no metric family is exposed")
	}
	for _, k := range c.Kinds {
		r, err := k.Renderer(c.Filter)
		if err != nil {
			return err
		}
		families := []string{}
		for _, f := range r.Families() {
			families = append(families, f.Name)
		}
		all.Kinds = append(all.Kinds, selectedKind{
			Resource: k.Name(), APIVersion: k.Resource.GroupVersion().String(), Namespaced: &k.Namespaced, Families: families,
			group: k.Resource.Group,
		})
	}
	all.CustomResources = c.selectedCustomResources()
	all.Rules = c.rules(all)
	text, err := yaml.Marshal(all)
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}

// selectedCustomResources returns what the entries of the custom resource configuration select. The
// plural of an entry that gives none is a guess, and * for all kinds.
func (c *Config) selectedCustomResources() (all []selectedKind) {
	if c.Custom == nil {
		return nil
	}
	for _, e := range c.Custom.Entries() {
		plural := e.Plural
		switch {
		case plural != "":
		case e.GVK.Kind == "*":
			plural = "*"
		default:
			plural = customresource.UsualPlural(e.GVK.Kind)
		}
		families := slices.DeleteFunc(e.Families, func(name string) bool { return !c.Filter.Selects(resources.Family{Name: name}) })
		all = append(all, selectedKind{
			Resource: plural, APIVersion: e.GVK.GroupVersion().String(), Kind: e.GVK.Kind,
			Labels: e.LabelSelector, Fields: e.FieldSelector, Families: families, group: e.GVK.Group,
		})
	}
	return all
}

// rules returns one rule for each API group: for the kinds, the namespaces that a selector chooses, and
// the definitions of custom resources.
func (c *Config) rules(s summary) []rbacv1.PolicyRule {
	groups := map[string][]string{} // resources, by API group
	for _, k := range slices.Concat(s.Kinds, s.CustomResources) {
		groups[k.group] = append(groups[k.group], k.Resource)
	}
	if c.NamespaceSelector != nil {
		groups[""] = append(groups[""], "namespaces")
	}
	if len(s.CustomResources) > 0 {
		groups["apiextensions.k8s.io"] = append(groups["apiextensions.k8s.io"], "customresourcedefinitions")
	}
	all := []rbacv1.PolicyRule{}
	for _, group := range slices.Sorted(maps.Keys(groups)) {
		plurals := slices.Compact(slices.Sorted(slices.Values(groups[group])))
		all = append(all, rbacv1.PolicyRule{APIGroups: []string{group}, Resources: plurals, Verbs: []string{"list", "watch"}})
	}
	return all
}
