package customresource

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

// TestToleratedConfigurations compares the families and the warnings of each configuration in tolerated.txtar with the
// text that follows it there. ParseStrict must refuse each of them.
func TestToleratedConfigurations(t *testing.T) {
	const name = "testdata/tolerated.txtar"
	archive, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(archive.Files); i += 2 {
		config, want := archive.Files[i], &archive.Files[i+1]
		t.Run(strings.TrimSuffix(config.Name, ".yaml"), func(t *testing.T) {
			got := describeConfig(mustParse(t, string(config.Data)))
			if *update {
				want.Data = []byte(got)
			} else if diff := cmp.Diff(string(want.Data), got); diff != "" {
				t.Error(diff)
			}
			if c, err := ParseStrict(strings.NewReader(string(config.Data))); err == nil {
				t.Errorf("ParseStrict accepts it with the warnings %q, want an error", c.Warnings())
			}
		})
	}
	if *update {
		if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// describeConfig returns the kinds and families of a configuration, and its warnings.
func describeConfig(c *Config) string {
	var b strings.Builder
	for _, e := range c.entries {
		b.WriteString(e.gvk.GroupVersion().String() + " " + e.gvk.Kind + ":")
		for _, m := range e.metrics {
			b.WriteString(" " + m.family.Name)
		}
		b.WriteString("\n")
	}
	for _, w := range c.Warnings() {
		b.WriteString(w + "\n")
	}
	return b.String()
}

// The number of warnings is limited so that the log stays readable.
func TestWarningsAreBounded(t *testing.T) {
	config := mustParse(t, wrap(strings.Repeat("{name: x, each: {type: Gauge, gauge: {path: [a]}}}, ", 50)))
	if got := config.Warnings(); len(got) != maxFaults+1 || got[maxFaults] != "30 more" {
		t.Errorf("got %d warnings %q, want %d and %q", len(got), got, maxFaults, "30 more")
	}
}
