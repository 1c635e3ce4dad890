package render

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/statefleet/statefleet/resources/customresource"
	"github.com/statefleet/statefleet/shard"
)

// TestLastOfEqualObjectsCounts covers metrics whose samples depend on those of earlier objects.
func TestLastOfEqualObjectsCounts(t *testing.T) {
	const widget = "apiVersion: example.org/v1\nkind: Widget\nmetadata: {name: %s, namespace: shop}\nspec: {size: %d}\n---\n"
	text := fmt.Sprintf(widget+widget+widget, "w", 1, "w2", 2, "w", 3)
	objects, err := Read(Source{"input", strings.NewReader(text)})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ config, want string }{
		"two objects have the series": {config, `kube_customresource_size{customresource_group="example.org",customresource_kind="Widget",customresource_version="v1",namespace="shop"} 2`},
		"limit": {
			strings.NewReplacer("[metadata, namespace]", "[metadata, name]", "name: size,", "name: size, seriesLimit: 2,").Replace(config),
			`namespace="w"} 3`,
		},
	} {
		custom, err := customresource.Parse(strings.NewReader(c.config))
		if err != nil {
			t.Fatal(err)
		}
		var out, log bytes.Buffer
		if err := Write(&out, objects, Options{Custom: custom, Shard: shard.All(), Logger: slog.New(slog.NewTextHandler(&log, nil))}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), c.want+"\n") || !strings.Contains(log.String(), "input:1") {
			t.Errorf("%s: got\n%s\nand the log\n%s\nwant %s and a warning about input:1", name, out.String(), log.String(), c.want)
		}
	}
}

// TestSeriesThatDifferInAnEmptyLabelAreLeftOut checks that the rendering agrees with the exporter, which leaves them out
// because Prometheus takes an empty label for a missing one.
func TestSeriesThatDifferInAnEmptyLabelAreLeftOut(t *testing.T) {
	const widget = "apiVersion: example.org/v1\nkind: Widget\nmetadata: {name: %s, namespace: shop}\nspec: {size: %d%s}\n---\n"
	objects, err := Read(Source{"input", strings.NewReader(fmt.Sprintf(widget+widget, "w", 1, ", zone: \"\"", "w2", 2, ""))})
	if err != nil {
		t.Fatal(err)
	}
	custom, err := customresource.Parse(strings.NewReader(strings.Replace(config, "labelsFromPath: {", "labelsFromPath: {zone: [spec, zone], ", 1)))
	if err != nil {
		t.Fatal(err)
	}
	var out, log bytes.Buffer
	if err := Write(&out, objects, Options{Custom: custom, Shard: shard.All(), Logger: slog.New(slog.NewTextHandler(&log, nil))}); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), "\nkube_customresource_size{"); n != 1 || !strings.Contains(log.String(), "input:6") {
		t.Errorf("got %d samples in\n%s\nand the log\n%s\nwant one, and a warning about input:6", n, out.String(), log.String())
	}
}
