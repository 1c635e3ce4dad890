package config

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/alecthomas/kingpin/v2"
)

// normalizeArgs rewrites arguments that kube-state-metrics accepts and kingpin does not:
// --flag=true and --flag=false become --flag and --no-flag, and a separate value is joined to its
// flag if kingpin would take it for something else.
func normalizeArgs(app *kingpin.Application, args []string) ([]string, error) {
	boolean := map[string]bool{}
	for _, f := range app.Model().Flags {
		boolean["--"+f.Name] = f.IsBoolFlag()
	}
	var normal []string
	for i := 0; i < len(args); i++ {
		if args[i] == "--" {
			return append(normal, args[i:]...), nil
		}
		name, value, assigned := strings.Cut(args[i], "=")
		isBool, known := boolean[name]
		switch {
		case known && isBool && assigned:
			on, err := strconv.ParseBool(value)
			if err != nil {
				return nil, fmt.Errorf("%s: must be true or false, got %q", name, value)
			}
			normal = append(normal, boolArg(strings.TrimPrefix(name, "--"), on))
		case known && !isBool && !assigned && i+1 < len(args) && misreadByKingpin(args[i+1]):
			i++
			normal = append(normal, name+"="+args[i])
		default:
			normal = append(normal, args[i])
		}
	}
	return normal, nil
}

func boolArg(flag string, on bool) string {
	if on {
		return "--" + flag
	}
	return "--no-" + flag
}

// misreadByKingpin reports whether kingpin would misread an argument that is the value of a flag: a
// YAML document that begins with ---, such as a custom resource configuration, a negative number, or
// a text that begins with @, which kingpin reads as a file of arguments.
func misreadByKingpin(arg string) bool {
	dashes := len(arg) - len(strings.TrimLeft(arg, "-"))
	return strings.HasPrefix(arg, "@") || dashes == 1 || dashes > 2
}

// splitNames splits a list of names at commas.
func splitNames(s string) (names []string) {
	for name := range strings.SplitSeq(s, ",") {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// splitPatterns splits a list of regular expressions at commas. A comma within brackets, as in
// kube_.{2,4}_info, is part of an expression.
func splitPatterns(s string) (patterns []string) {
	// A token is an escaped character, a character class, or any other character. In a class, a
	// bracket may come first.
	token := regexp.MustCompile(`(?s)\\.|\[\^?\]?(?:\\.|\[:\^?\w*:\]|[^\]\\])*\]|.`)
	depth, start := 0, 0
	add := func(end int) {
		if p := strings.TrimSpace(s[start:end]); p != "" {
			patterns = append(patterns, p)
		}
		start = end + len(",")
	}
	for _, at := range token.FindAllStringIndex(s, -1) {
		switch s[at[0]:at[1]] {
		case "(", "{":
			depth++
		case ")", "}":
			depth--
		case ",":
			if depth <= 0 {
				add(at[0])
				depth = 0
			}
		}
	}
	add(len(s))
	return patterns
}
