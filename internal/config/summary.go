package config

import (
	"io"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/statefleet/statefleet/resources"
	"github.com/statefleet/statefleet/resources/customresource"
)

// summary is what the settings select, as check-config prints it.
type summary struct {
	Kinds           []selectedKind `json:"kinds"`
	CustomResources []selectedKind `json:"customResources,omitempty"`
	Warnings        []string       `json:"warnings,omitempty"`
	Rules           []rule         `json:"rules"`
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
}

// rule is a rule of a Role or ClusterRole.
type rule struct {
	APIGroups []string `json:"apiGroups"`
	Resources []string `json:"resources"`
	Verbs     []string `json:"verbs"`
}

// WriteSummary writes as YAML what the settings select: kinds with the families of each, warnings,
// and the RBAC rules that reading the kinds takes. Those for the fleet itself are in the manifests.
func (c *Config) WriteSummary(w io.Writer) error {
	all := summary{Warnings: c.Warnings()}
	if c.ExposesNothing() {
		all.Warnings = append(all.Warnings, "no metric family is exposed")
	}
	groups := map[string][]string{} // resources, by API group
	for _, k := range c.Kinds {
		r, err := k.Renderer(c.Filter)
		if err != nil {
			return err
		}
		all.Kinds = append(all.Kinds, selectedKind{
			Resource: k.Name(), APIVersion: k.Resource.GroupVersion().String(), Namespaced: &k.Namespaced, Families: familyNames(r.Families()),
		})
		groups[k.Resource.Group] = append(groups[k.Resource.Group], k.Name())
	}
	all.CustomResources = c.selectedCustomResources()
	for _, k := range all.CustomResources {
		group, _, isNamed := strings.Cut(k.APIVersion, "/")
		if !isNamed {
			group = ""
		}
		groups[group] = append(groups[group], k.Resource)
	}
	if c.NamespaceSelector != nil {
		groups[""] = append(groups[""], "namespaces")
	}
	if len(all.CustomResources) > 0 {
		groups["apiextensions.k8s.io"] = append(groups["apiextensions.k8s.io"], "customresourcedefinitions")
	}
	all.Rules = rules(groups)
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
			Resource: plural, APIVersion: schema.GroupVersion{Group: e.GVK.Group, Version: e.GVK.Version}.String(), Kind: e.GVK.Kind,
			Labels: e.LabelSelector, Fields: e.FieldSelector, Families: families,
		})
	}
	return all
}

func familyNames(families []resources.Family) []string {
	names := []string{}
	for _, f := range families {
		names = append(names, f.Name)
	}
	return names
}

// rules returns one rule for each API group.
func rules(groups map[string][]string) []rule {
	all := []rule{}
	for group, plurals := range groups {
		slices.Sort(plurals)
		all = append(all, rule{[]string{group}, slices.Compact(plurals), []string{"list", "watch"}})
	}
	slices.SortFunc(all, func(a, b rule) int { return strings.Compare(a.APIGroups[0], b.APIGroups[0]) })
	return all
}
