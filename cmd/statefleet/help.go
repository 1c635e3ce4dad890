package main

import (
	"slices"
	"text/template"

	"github.com/alecthomas/kingpin/v2"
)

// section is a group of flags that --help shows together.
type section struct {
	app   *kingpin.Application
	title string
	names []string
	still []string // those that cannot change while the program runs
}

// flag declares a flag whose value kingpin knows how to read.
func (s *section) flag(name, help string) *kingpin.FlagClause {
	s.names = append(s.names, name)
	return s.app.Flag(name, help)
}

// value declares a flag with a value of its own.
func (s *section) value(name, help string, v kingpin.Value) *kingpin.FlagClause {
	f := s.flag(name, help)
	f.SetValue(named{v, name})
	return f
}

// fix tells that the flags keep the values that they start with: a reload that changes one is refused.
func (s *section) fix(names ...string) { s.still = append(s.still, names...) }

// sections are shown in the order in which they were added, after the flags that are in none.
type sections []*section

func (all *sections) add(app *kingpin.Application, title string) *section {
	s := &section{app: app, title: title}
	*all = append(*all, s)
	return s
}

// fixed reports whether the flag keeps the value that it starts with.
func (all sections) fixed(flag string) bool {
	return slices.ContainsFunc(all, func(s *section) bool { return slices.Contains(s.still, flag) })
}

// use makes --help of app show the sections.
func (all sections) use(app *kingpin.Application) {
	app.UsageTemplate(usageTemplate)
	app.UsageFuncs(template.FuncMap{"Sections": all.group})
}

// shown is a section as --help shows it: flags and what they do.
type shown struct {
	Title string
	Rows  [][2]string
}

func (all sections) group(flags []*kingpin.FlagModel) []shown {
	groups := []shown{{Title: "General"}}
	for _, s := range all {
		groups = append(groups, shown{Title: s.title})
	}
	for _, f := range flags {
		if f.Hidden {
			continue
		}
		i := slices.IndexFunc(all, func(s *section) bool { return slices.Contains(s.names, f.Name) })
		groups[i+1].Rows = append(groups[i+1].Rows, [2]string{usage(f), f.Help})
	}
	return groups
}

// usage is how a flag is written. One that is on already is shown with the no- that turns it off.
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
