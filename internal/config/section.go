package config

import (
	"slices"
	"text/template"

	"github.com/alecthomas/kingpin/v2"
)

// section is a group of flags that --help shows together.
type section struct {
	app       *kingpin.Application
	title     string
	names     []string
	immutable []string // flags that keep their values while the program runs
}

// flag declares a flag whose value kingpin knows how to parse.
func (s *section) flag(name, help string) *kingpin.FlagClause {
	s.names = append(s.names, name)
	return s.app.Flag(name, help)
}

// value declares a flag with a value of its own.
func (s *section) value(name, help string, v kingpin.Value) *kingpin.FlagClause {
	f := s.flag(name, help)
	f.SetValue(flagValue{v, name})
	return f
}

// markImmutable makes a reload that changes one of the flags an error.
func (s *section) markImmutable(names ...string) { s.immutable = append(s.immutable, names...) }

// showSections makes --help of app show the sections, behind the flags that are in none.
func showSections(app *kingpin.Application, sections []*section) {
	app.UsageTemplate(usageTemplate)
	app.UsageFuncs(template.FuncMap{"Sections": func(flags []*kingpin.FlagModel) []usageSection {
		groups := []usageSection{{Title: "General"}}
		for _, s := range sections {
			groups = append(groups, usageSection{Title: s.title})
		}
		for _, f := range flags {
			if !f.Hidden {
				i := 1 + slices.IndexFunc(sections, func(s *section) bool { return slices.Contains(s.names, f.Name) })
				groups[i].Rows = append(groups[i].Rows, [2]string{usage(f), f.Help})
			}
		}
		return groups
	}})
}

// usageSection is a section in the form in which --help shows it.
type usageSection struct {
	Title string
	Rows  [][2]string // flags and their help texts
}

// usage returns how a flag is written. A flag that is on by default is shown with the no- that turns it off.
func usage(f *kingpin.FlagModel) string {
	switch {
	case !f.IsBoolFlag():
		return "--" + f.Name + "=" + f.FormatPlaceHolder()
	case slices.Equal(f.Default, []string{"true"}):
		return "--[no-]" + f.Name
	default:
		return "--" + f.Name
	}
}

const usageTemplate = `usage: {{.App.Name}} [<flags>]

{{.App.Help|Wrap 0}}
{{range .Context.Flags|Sections -}}
{{.Title}}:
{{.Rows|FormatTwoColumns}}
{{end -}}
`
