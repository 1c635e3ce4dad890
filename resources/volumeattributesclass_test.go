package resources

import (
	"strings"
	"testing"

	"github.com/statefleet/statefleet/internal/wire"
)

// Only allowed parameters become labels, because others may be confidential.
func TestParametersOfVolumeAttributesClasses(t *testing.T) {
	const object = `{"metadata":{"name":"c"},"parameters":{"iops":"1","example.com/Tier":"2","example.com/key":"3","token":"4"}}`
	const iops, tier, key, token = `,parameter_iops="1"`, `,parameter_example_com_tier="2"`, `,parameter_example_com_key="3"`, `,parameter_token="4"`
	f := func(labels string, keys ...string) {
		t.Helper()
		filter, err := NewFilter(Selection{ParameterKeys: keys, Allow: []string{"_parameters$"}})
		if err != nil {
			t.Fatal(err)
		}
		var l Lines
		if err := mustRenderer(t, volumeAttributesClasses(), filter).Render(wire.JSON, []byte(object), &l); err != nil {
			t.Fatal(err)
		}
		if want := `kube_volumeattributesclass_parameters{volumeattributesclass="c"` + labels + "} 1\n"; string(l.Buf) != want {
			t.Errorf("%q: got %s, want %s", keys, l.Buf, want)
		}
	}
	f(iops)
	f(token, "token")
	f(tier+key, "example.com/*", "other")
	f(tier+key+iops+token, "*")
	f("", "none")
	_, err := NewFilter(Selection{ParameterKeys: []string{"iops", "*a*"}})
	if err == nil || !strings.Contains(err.Error(), `--metric-volumeattributesclass-parameters-allowlist: key "*a*" must not have more than one star`) {
		t.Errorf("error %v, want one about the key *a*", err)
	}
}
