package presets

import (
	"bytes"
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/statefleet/statefleet/internal/render"
	"github.com/statefleet/statefleet/internal/testing/conformance"
	"github.com/statefleet/statefleet/resources"
	"github.com/statefleet/statefleet/resources/customresource"
	"github.com/statefleet/statefleet/shard"
)

var update = flag.Bool("update", false, "write the expected lines")

// parse parses a preset as strictly as the exporter does.
func parse(t *testing.T, name string) *customresource.Config {
	t.Helper()
	text, err := Read(name)
	if err != nil {
		t.Fatal(err)
	}
	c, err := customresource.ParseStrict(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return c
}

// rendered returns the exposition for manifests, and the log.
func rendered(t *testing.T, c *customresource.Config, manifests string) (text, log string) {
	t.Helper()
	objects, err := render.Read(render.Source{Name: "manifests", Reader: strings.NewReader(manifests)})
	if err != nil {
		t.Fatal(err)
	}
	var out, logged bytes.Buffer
	o := render.Options{Custom: c, Shard: shard.All(), ObjectBytes: 1 << 20, Logger: slog.New(slog.NewTextHandler(&logged, nil))}
	if err := render.Write(&out, objects, o); err != nil {
		t.Fatal(err)
	}
	return out.String(), logged.String()
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestPresetsRenderTheirFixtures checks the expositions in testdata, and that every family of every kind has a sample.
func TestPresetsRenderTheirFixtures(t *testing.T) {
	if n := len(Names()); n < 13 {
		t.Fatalf("got %d presets, want at least 13", n)
	}
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			c := parse(t, name)
			text, log := rendered(t, c, read(t, filepath.Join("testdata", name+".yaml")))
			if log != "" {
				t.Errorf("got the log\n%s\nwant none", log)
			}
			file := filepath.Join("testdata", name+".prom")
			if *update {
				if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want := read(t, file); text != want {
				t.Errorf("got\n%s\nwant\n%s", text, want)
			}
			metrics := conformance.NewExposition()
			if err := metrics.Read(text); err != nil || len(metrics.Twice) > 0 {
				t.Errorf("got error %v and duplicate series %q, want neither", err, metrics.Twice)
			}
			checkSamples(t, c, metrics)
		})
	}
}

// checkSamples reports each family of a kind without a sample.
func checkSamples(t *testing.T, c *customresource.Config, metrics conformance.Exposition) {
	t.Helper()
	for _, e := range c.Entries() {
		of := `customresource_group="` + e.GVK.Group + `",customresource_kind="` + e.GVK.Kind + `",customresource_version="` + e.GVK.Version + `"`
		for _, family := range e.Families {
			found := false
			for series := range metrics.Values {
				found = found || strings.HasPrefix(series, family+"{") && strings.Contains(series, of)
			}
			if !found {
				t.Errorf("%s of %s has no sample", family, e.GVK.Kind)
			}
		}
	}
}

// TestPresetsHaveNoWarnings checks that presets cause no warnings, such as series that two objects may share.
func TestPresetsHaveNoWarnings(t *testing.T) {
	for _, name := range Names() {
		if w := parse(t, name).Warnings(); len(w) > 0 {
			t.Errorf("%s: got warnings %q, want none", name, w)
		}
	}
}

// TestPresetsMayBeUsedTogether checks that no two presets have a family with the same name, and none that of a built-in
// kind.
func TestPresetsMayBeUsedTogether(t *testing.T) {
	filter, err := resources.NewFilter(resources.Selection{OptIn: []string{".*"}})
	if err != nil {
		t.Fatal(err)
	}
	all := &customresource.Config{}
	for _, name := range Names() {
		if all, err = all.Join(parse(t, name).Named(name), filter); err != nil {
			t.Fatal(err)
		}
	}
	if err := all.CheckNames(resources.All(), filter); err != nil {
		t.Error(err)
	}
}

// TestHelpIsASentence checks that help texts are sentences and name the unit, as those of the built-in kinds.
func TestHelpIsASentence(t *testing.T) {
	sentence := regexp.MustCompile(`^[A-Z].*[^ ]\.$`)
	for _, name := range Names() {
		for _, f := range parse(t, name).Families() {
			isTime := strings.HasSuffix(f.Name, "_created") || strings.HasSuffix(f.Name, "_timestamp_seconds")
			switch {
			case !sentence.MatchString(f.Help):
				t.Errorf("%s: the help of %s must be a sentence, got %q", name, f.Name, f.Help)
			case isTime != strings.Contains(f.Help, "in unix seconds") && !slices.Contains(zeroTimes(), f.Name):
				t.Errorf("%s: the unit in the name %s differs from that in its help %q", name, f.Name, f.Help)
			case strings.HasSuffix(f.Name, "_bytes") && !strings.Contains(f.Help, "in bytes"):
				t.Errorf("%s: the help of %s must name the unit bytes, got %q", name, f.Name, f.Help)
			}
		}
	}
}

// zeroTimes returns the families of times whose names, which other projects chose, lack the unit.
func zeroTimes() []string {
	names := []string{"capi_machine_status_certificatesexpirydate"}
	for _, kind := range []string{"gateway", "gatewayclass", "httproute", "grpcroute", "tlsroute", "tcproute", "udproute", "backendtlspolicy"} {
		names = append(names, "gatewayapi_"+kind+"_deleted")
	}
	return names
}

// TestOtherVersionsGiveNoFamilies checks that a preset ignores objects of other API versions, and logs them.
func TestOtherVersionsGiveNoFamilies(t *testing.T) {
	for _, name := range Names() {
		version := regexp.MustCompile(`(?m)^(apiVersion: .*/).*$`)
		manifests := version.ReplaceAllString(read(t, filepath.Join("testdata", name+".yaml")), "${1}v9")
		if text, log := rendered(t, parse(t, name), manifests); text != "" || !strings.Contains(log, "/v9 ") {
			t.Errorf("%s: got\n%s\nand log %s; want no samples and the version in the log", name, text, log)
		}
	}
}

const (
	tableFile  = "../../docs/configuration.md"
	tableBegin = "<!-- Generated from manifests/presets by \"make generate\": begin -->\n"
	tableEnd   = "<!-- Generated from manifests/presets: end -->\n"
)

// TestTableOfPresetsIsGenerated checks the table of kinds and families in docs/configuration.md.
func TestTableOfPresetsIsGenerated(t *testing.T) {
	document := read(t, tableFile)
	before, rest, begins := strings.Cut(document, tableBegin)
	_, after, ends := strings.Cut(rest, tableEnd)
	if !begins || !ends {
		t.Fatalf("%s lacks the comments around the generated table", tableFile)
	}
	table := "\n| preset | kinds | families |\n| --- | --- | --- |\n"
	for _, name := range Names() {
		kinds, families := describe(parse(t, name))
		table += "| `" + name + "` | " + kinds + " | " + families + " |\n"
	}
	want := before + tableBegin + table + "\n" + tableEnd + after
	if *update {
		if err := os.WriteFile(tableFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if read(t, tableFile) != want {
		t.Errorf("%s differs from the presets; run make generate", tableFile)
	}
}

// describe returns the kinds by API version, and the prefixes of the families' names.
func describe(c *customresource.Config) (kinds, families string) {
	var versions, patterns []string
	byVersion := map[string][]string{}
	for _, e := range c.Entries() {
		version := e.GVK.GroupVersion().String()
		if byVersion[version] == nil {
			versions = append(versions, version)
		}
		byVersion[version] = append(byVersion[version], e.GVK.Kind)
		if p := "`" + commonPrefix(e.Families) + "*`"; !slices.Contains(patterns, p) {
			patterns = append(patterns, p)
		}
	}
	for i, version := range versions {
		versions[i] = "`" + version + "`: " + strings.Join(byVersion[version], ", ")
	}
	return strings.Join(versions, "; "), strings.Join(patterns, ", ")
}

// commonPrefix returns the longest common prefix of all names that ends with an underscore.
func commonPrefix(names []string) string {
	prefix := names[0][:strings.LastIndexByte(names[0], '_')+1]
	for _, name := range names {
		for !strings.HasPrefix(name, prefix) {
			prefix = prefix[:strings.LastIndexByte(prefix[:len(prefix)-1], '_')+1]
		}
	}
	return prefix
}
