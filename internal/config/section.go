package config

import (
	"slices"
	"text/template"

	"github.com/alecthomas/kingpin/v2"
)

// section is a group of flags that --help shows together.
type section struct {
	Title string
	app   *kingpin.Application
	flags []*kingpin.FlagClause
}

// flag declares a flag whose value kingpin knows how to parse.
func (s *section) flag(name, help string) *kingpin.FlagClause {
	f := s.app.Flag(name, help)
	s.flags = append(s.flags, f)
	return f
}

// value declares a flag whose value v parses.
func (s *section) value(name string, v flagValue, help string) *kingpin.FlagClause {
	f := s.flag(name, help)
	v.flag = name
	f.SetValue(v)
	return f
}

// names returns the names of the flags.
func (s *section) names() (names []string) {
	for _, f := range s.flags {
		names = append(names, f.Model().Name)
	}
	return names
}

// Rows returns the flags and their help texts, for the usage template.
func (s *section) Rows() (rows [][2]string) {
	for _, f := range s.flags {
		m := f.Model()
		rows = append(rows, [2]string{usage(m), m.Help})
	}
	return rows
}

// showSections makes --help of app show the sections.
func showSections(app *kingpin.Application, sections []*section) {
	general := &section{Title: "General", flags: []*kingpin.FlagClause{app.HelpFlag, app.VersionFlag}}
	app.UsageTemplate(usageTemplate)
	app.UsageFuncs(template.FuncMap{"Sections": func() []*section { return append([]*section{general}, sections...) }})
}

// usage returns how a flag is written. A flag that is on by default is shown with the no- that
// turns it off.
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

const usageTemplate = `usage: {{.App.Name}} [<flags>]{{range .App.Args}} [{{.Name}}...]{{end}}

{{.App.Help|Wrap 0}}
{{range Sections -}}
{{.Title}}:
{{.Rows|FormatTwoColumns}}
{{end -}}
`
