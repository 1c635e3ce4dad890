package render

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/statefleet/statefleet/resources/customresource"
	"github.com/statefleet/statefleet/shard"
)

// TestAnyNamespaceMakesATypeNamespaced: manifests may leave out the namespace, which kubectl then sets.
func TestAnyNamespaceMakesATypeNamespaced(t *testing.T) {
	const widgets = `
apiVersion: example.org/v1
kind: Widget
metadata: {name: w}
spec: {size: 1}
---
apiVersion: example.org/v1
kind: Widget
metadata: {name: w, namespace: shop}
spec: {size: 2}
`
	objects, err := Read(Source{"input", strings.NewReader(widgets)})
	if err != nil {
		t.Fatal(err)
	}
	custom, err := customresource.Parse(strings.NewReader(strings.ReplaceAll(config, "namespace", "name")))
	if err != nil {
		t.Fatal(err)
	}
	samples := func(o Options) int {
		t.Helper()
		var out bytes.Buffer
		o.Custom, o.Shard, o.Logger = custom, shard.All(), slog.New(slog.DiscardHandler)
		if err := Write(&out, objects, o); err != nil {
			t.Fatal(err)
		}
		return strings.Count(out.String(), "\nkube_customresource_size{")
	}
	if n := samples(Options{}); n != 1 {
		t.Errorf("got %d samples, want 1, because the objects have the same series", n)
	}
	if n := samples(Options{Namespaces: []string{"other"}}); n != 0 {
		t.Errorf("got %d samples of a namespace that is not selected, want none", n)
	}
}
