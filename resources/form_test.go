package resources

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/statefleet/statefleet/internal/wire"
)

// The requested form follows from the families. The type of a Secret is the only field outside of the metadata, and it
// requires a Table.
func TestValuesOfSecretsAndConfigMapsAreNotAskedFor(t *testing.T) {
	withoutType, err := NewFilter(Selection{Deny: []string{"kube_secret_type"}})
	if err != nil {
		t.Fatal(err)
	}
	metadata := wire.Form{Metadata: true}
	for _, c := range []struct {
		kind   Kind
		filter Filter
		want   wire.Form
	}{
		{secrets(), Filter{}, wire.Form{Metadata: true, Column: "Type", Field: "type"}},
		{secrets(), everything(t), wire.Form{Metadata: true, Column: "Type", Field: "type"}},
		{secrets(), withoutType, metadata},
		{configMaps(), everything(t), metadata},
		{kindsByName()["pods"], everything(t), wire.Form{}},
	} {
		if got := mustRenderer(t, c.kind, c.filter).Form(); got != c.want {
			t.Errorf("%s: got form %+v, want %+v", c.kind.Name(), got, c.want)
		}
	}
}

// If a declaration reads a field that must not be requested, creating the renderer fails. Otherwise the family would
// have no samples.
func TestFamilyThatReadsValuesIsAnError(t *testing.T) {
	k := NewKind(definition[corev1.Secret]{
		resource: corev1.SchemeGroupVersion.WithResource("secrets"),
		form:     wire.Form{Metadata: true, Column: "Type", Field: "type"},
		reads:    "immutable",
	})
	if _, err := k.Renderer(Filter{}); err == nil || !strings.Contains(err.Error(), "immutable") {
		t.Errorf("error %v, want one that names the field", err)
	}
}
