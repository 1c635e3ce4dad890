package customresource

import (
	"fmt"
	"strings"
	"testing"

	"github.com/statefleet/statefleet/resources"
)

// oneFamily returns a configuration with one family of a kind.
func oneFamily(t *testing.T, group, kind, metric string) *Config {
	t.Helper()
	return mustParse(t, `
kind: CustomResourceStateMetrics
spec:
  resources:
  - groupVersionKind: {group: `+group+`, version: v1, kind: `+kind+`}
    metricNamePrefix: ""
    labelsFromPath: {name: [metadata, name], namespace: [metadata, namespace]}
    metrics: [`+metric+`]
`)
}

const (
	infoA  = "{name: a_info, each: {type: Info, info: {labelsFromPath: {name: [metadata, name]}}}}"
	gaugeA = "{name: a, each: {type: Gauge, gauge: {path: [spec, a]}}}"
	gaugeB = "{name: b, each: {type: Gauge, gauge: {path: [spec, b]}}}"
)

func TestJoinedConfigurationHasTheEntriesOfBoth(t *testing.T) {
	own, preset := oneFamily(t, "a.io", "A", gaugeA), oneFamily(t, "b.io", "B", gaugeB).Named("preset b")
	all, err := own.Join(preset, resources.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	if e := all.Entries(); len(e) != 2 || e[0].GVK.Kind != "A" || e[1].GVK.Kind != "B" {
		t.Errorf("got the entries %+v, want A and B", e)
	}
	const want = "preset b: spec.resources[0].metrics[0].name (line 8), path spec.b"
	if s := all.Sources(all.Entries()[1].GVK, "b"); len(s) != 1 || s[0] != want {
		t.Errorf("got the sources %q, want %q", s, want)
	}
	if len(own.Entries()) != 1 || len(preset.Entries()) != 1 {
		t.Error("Join changed one of the joined configurations")
	}
}

// Families also clash if only their OpenMetrics names are equal. Families that the filter excludes do not clash.
func TestJoinRefusesFamiliesThatBothHave(t *testing.T) {
	const place = "spec.resources[0].metrics[0].name (line 8)"
	for _, c := range []struct {
		own, more string
		deny      []string
		want      string
	}{
		{gaugeA, gaugeA, nil, "a clashes with a of"},
		{infoA, infoA, nil, "a_info clashes with a_info of"},
		{gaugeA, infoA, nil, "a clashes with a_info of"},
		{infoA, gaugeA, nil, "a_info clashes with a of"},
		{gaugeA, gaugeB, nil, ""},
		{gaugeA, gaugeA, []string{"^a$"}, ""},
	} {
		filter, err := resources.NewFilter(resources.Selection{Deny: c.deny})
		if err != nil {
			t.Fatal(err)
		}
		_, err = oneFamily(t, "a.io", "A", c.own).Join(oneFamily(t, "b.io", "B", c.more).Named("preset b"), filter)
		want := place + ": " + c.want + " preset b: " + place + "; another name, or another metricNamePrefix, is expected"
		if c.want == "" && err != nil || c.want != "" && (err == nil || err.Error() != want) {
			t.Errorf("%s and %s: got the error %v, want %q", c.own, c.more, err, c.want)
		}
	}
}

func TestWarningsBeginWithTheNameOfTheConfiguration(t *testing.T) {
	const unnamed = "{name: a, each: {type: Gauge, gauge: {path: [spec, a]}, typo: 1}}"
	w := oneFamily(t, "a.io", "A", unnamed).Named("preset a").Warnings()
	if len(w) != 1 || !strings.HasPrefix(w[0], "preset a: spec.resources[0].metrics[0]") {
		t.Errorf("got the warnings %q, want one that begins with %q", w, "preset a: ")
	}
}

func TestUsualPlurals(t *testing.T) {
	for kind, want := range map[string]string{
		"Widget": "widgets", "Gateway": "gateways", "ImagePolicy": "imagepolicies", "GatewayClass": "gatewayclasses", "Key": "keys", "Y": "ies",
	} {
		if got := UsualPlural(kind); got != want {
			t.Errorf("UsualPlural(%q) = %q, want %q", kind, got, want)
		}
	}
}

// A preset does not change whether the user's entries need a plural.
func TestJoinedConfigurationIsAsStrictAsTheFirst(t *testing.T) {
	const text = "kind: CustomResourceStateMetrics\nspec: {resources: [{groupVersionKind: {group: %s.example.com, version: v1, kind: Goose}, " +
		"labelsFromPath: {name: [metadata, name], namespace: [metadata, namespace]}, metrics: [{name: %s, help: h, each: {type: Gauge, gauge: {path: [spec, n]}}}]}]}"
	for _, strict := range []bool{false, true} {
		first, err := parse(strings.NewReader(fmt.Sprintf(text, "a", "a")), strict)
		if err != nil {
			t.Fatal(err)
		}
		preset, err := parse(strings.NewReader(fmt.Sprintf(text, "b", "b")), !strict)
		if err != nil {
			t.Fatal(err)
		}
		joined, err := first.Join(preset.Named("preset b"), resources.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		a, client := newAPI(t)
		a.discovery["/apis/a.example.com/v1"] = aggregatedResources
		found := newDiscovery(client, joined.strict).find(t.Context(), joined.entries[:1])
		if got := len(found) == 1; got == strict {
			t.Errorf("strict %t: kind without definition and plural found: %t, want %t", strict, got, !strict)
		}
	}
}
