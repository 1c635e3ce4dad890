package config

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kingpin/v2"
)

var update = flag.Bool("update", false, "write the generated files")

const (
	referenceFile  = "../../docs/configuration.md"
	referenceBegin = "<!-- Generated from the flags by \"make generate\": begin -->\n"
	referenceEnd   = "<!-- Generated from the flags: end -->\n"
)

// TestConfigurationReference compares the list of flags in docs/configuration.md with the flags. -update rewrites it.
func TestConfigurationReference(t *testing.T) {
	text, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(text), referenceBegin)
	got, after, ends := strings.Cut(rest, referenceEnd)
	if !begins || !ends {
		t.Fatalf("%s lacks the markers of the list", referenceFile)
	}
	want := reference()
	if *update {
		if err := os.WriteFile(referenceFile, []byte(before+referenceBegin+want+referenceEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != want {
		t.Errorf("%s differs from the flags; run make generate. Want:\n%s", referenceFile, want)
	}
	for name, flag := range ksmAliases() {
		if row := fmt.Sprintf("| `%s` | `%s` |", name, flag); !strings.Contains(after, row) {
			t.Errorf("%s lacks the row %s", referenceFile, row)
		}
	}
}

// reference returns a table for each section of the flags.
func reference() string {
	app := kingpin.New("statefleet", "")
	c := newConfig()
	sections := c.declare(app, nil)
	var b strings.Builder
	for _, s := range sections {
		fmt.Fprintf(&b, "\n### %s\n\n| Flag, key | Type | Default | Reload | Meaning |\n| --- | --- | --- | --- | --- |\n", s.Title)
		for _, f := range s.flags {
			m := f.Model()
			name := m.Name
			value := strings.Join(m.Default, ",")
			if m.IsBoolFlag() && value == "" {
				value = "false"
			}
			if value != "" {
				value = "`" + value + "`"
			}
			reload := "yes"
			if !isSetting(m) || slices.Contains(c.immutable, name) {
				reload = ""
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", name, typeOf(m), value, reload, escapeMarkdown(m.Help))
		}
	}
	b.WriteString("\n")
	return b.String()
}

func escapeMarkdown(s string) string {
	return strings.NewReplacer("|", `\|`, "*", `\*`, "<", "&lt;", "_", `\_`).Replace(s)
}
