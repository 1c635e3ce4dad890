package resources

import (
	"slices"
	"strings"
	"testing"
)

func TestFilterSelects(t *testing.T) {
	f := func(s Selection, name string, optIn, want bool) {
		t.Helper()
		filter, err := NewFilter(s)
		if err != nil {
			t.Errorf("%+v: %v", s, err)
			return
		}
		if got := filter.Selects(Family{Name: name, OptIn: optIn}); got != want {
			t.Errorf("%+v: Selects(%s) = %v, want %v", s, name, got, want)
		}
	}
	list := func(patterns ...string) []string { return patterns }

	f(Selection{}, "kube_pod_info", false, true)
	f(Selection{}, "kube_pod_extra", true, false)

	f(Selection{Allow: list("kube_pod_info")}, "kube_pod_info", false, true)
	f(Selection{Allow: list("kube_pod_info")}, "kube_node_info", false, false)
	f(Selection{Allow: list("a", "_node_")}, "kube_node_info", false, true)
	f(Selection{Deny: list("kube_pod_info")}, "kube_pod_info", false, false)
	f(Selection{Deny: list("kube_pod_info")}, "kube_node_info", false, true)

	// Patterns are not anchored.
	f(Selection{Deny: list("kube_resourcequota")}, "kube_resourcequota_created", false, false)
	f(Selection{Deny: list("^kube_resourcequota$")}, "kube_resourcequota_created", false, true)

	// An opt-in family is enabled by --metric-opt-in-list only, and the other lists apply to it as well.
	f(Selection{OptIn: list("kube_pod_extra")}, "kube_pod_extra", true, true)
	f(Selection{Allow: list("kube_pod_extra")}, "kube_pod_extra", true, false)
	f(Selection{OptIn: list("extra"), Allow: list("kube_node")}, "kube_pod_extra", true, false)
	f(Selection{OptIn: list("extra"), Deny: list("kube_pod")}, "kube_pod_extra", true, false)
	f(Selection{OptIn: list("extra")}, "kube_pod_info", false, true)

	// RE2 does not support look-around.
	f(Selection{Allow: list("^kube_(?!pod)")}, "kube_node_info", false, true)
	f(Selection{Allow: list("^kube_(?!pod)")}, "kube_pod_info", false, false)
	f(Selection{Deny: list("_(?=info$)")}, "kube_pod_info", false, false)
	f(Selection{Deny: list(`(.)\1`)}, "kube_pod_spec", false, true)
	f(Selection{Deny: list(`(.)\1`)}, "kube_pod_class", false, false)
}

func TestNewFilterErrorsNameFlagAndPattern(t *testing.T) {
	f := func(s Selection, parts ...string) {
		t.Helper()
		_, err := NewFilter(s)
		for _, part := range parts {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%+v: error %v, want one with %q", s, err, part)
			}
		}
	}
	f(Selection{Allow: []string{"ok", "(bad"}}, "--metric-allowlist", `"(bad"`)
	f(Selection{Deny: []string{"[z-a]"}}, "--metric-denylist", `"[z-a]"`)
	f(Selection{OptIn: []string{"*"}}, "--metric-opt-in-list", `"*"`)
	f(Selection{Deny: []string{"(?!pod)(job"}}, `"(?!pod)(job"`, "missing closing )")
	f(Selection{Allow: []string{"a"}, Deny: []string{"b"}}, "--metric-allowlist", "--metric-denylist", "exclude")
}

func TestPatternThatMatchesNoFamilyIsReported(t *testing.T) {
	families := []Family{{Name: "kube_pod_info"}, {Name: "kube_pod_extra", OptIn: true}}
	for _, c := range []struct {
		selection Selection
		want      []string
	}{
		{Selection{Allow: []string{"kube_pod_.*", "^info$", "kube_pdo"}}, []string{
			`--metric-allowlist: pattern "^info$" matches no metric family`,
			`--metric-allowlist: pattern "kube_pdo" matches no metric family`,
		}},
		{Selection{Deny: []string{"kube_(?!pod)", "extra"}}, []string{`--metric-denylist: pattern "kube_(?!pod)" matches no metric family`}},
		{Selection{OptIn: []string{"info", "extra"}}, []string{`--metric-opt-in-list: pattern "info" matches no metric family that is off by default`}},
		{Selection{}, nil},
	} {
		filter, err := NewFilter(c.selection)
		if err != nil {
			t.Fatal(err)
		}
		if got := filter.Ineffective(families); !slices.Equal(got, c.want) {
			t.Errorf("%+v: Ineffective() = %q, want %q", c.selection, got, c.want)
		}
	}
}

// undecided is a pattern that always times out.
func undecided(string) (bool, error) { return false, errNoSchedule }

// If a pattern times out, the family is left out.
func TestUndecidedPatternExposesLess(t *testing.T) {
	pattern := []matcher{{match: undecided}}
	for name, f := range map[string]Filter{"allow": {allow: pattern}, "deny": {deny: pattern}, "opt-in": {optIn: pattern}} {
		if f.Selects(Family{Name: "kube_pod_info", OptIn: name == "opt-in"}) {
			t.Errorf("%s: Selects() = true, want false", name)
		}
	}
}

// A renderer has exactly the families that its filter selects, in the order of the kind.
func TestFilterChoosesFamilies(t *testing.T) {
	filter, err := NewFilter(Selection{Allow: []string{"_status_", "_info$"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range All() {
		var want []string
		for _, f := range k.Families() {
			if filter.Selects(f) {
				want = append(want, f.Name)
			}
		}
		var got []string
		for _, f := range mustRenderer(t, k, filter).Families() {
			got = append(got, f.Name)
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%s: got families %v, want %v", k.Name(), got, want)
		}
	}
}

// The labels and annotations families are rendered only for the kinds that the allowlists name.
func TestAllowlistsEnableFamilies(t *testing.T) {
	labels, err := ParseAllowlist([]string{"jobs=[app]"})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range All() {
		for _, f := range mustRenderer(t, k, Filter{Selection: Selection{Labels: labels}}).Families() {
			always := f.Name == "kube_volumeattachment_labels" // has no allowlist
			if strings.HasSuffix(f.Name, "_annotations") || strings.HasSuffix(f.Name, "_labels") && f.Name != "kube_job_labels" && !always {
				t.Errorf("%s is rendered, but not allowed", f.Name)
			}
		}
	}
	families := mustRenderer(t, kindsByName()["jobs"], Filter{Selection: Selection{Labels: labels}}).Families()
	if families[0].Name != "kube_job_labels" {
		t.Errorf("first family of jobs: got %s, want kube_job_labels", families[0].Name)
	}
}
