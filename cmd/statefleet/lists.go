package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kingpin/v2"
)

// plainArguments rewrites what kube-state-metrics accepts and kingpin does not: --flag=true and --flag=false become --flag
// and --no-flag, and a value that stands by itself is joined to its flag if kingpin would take it for something else.
func plainArguments(app *kingpin.Application, args []string) ([]string, error) {
	boolean := map[string]bool{}
	for _, f := range app.Model().Flags {
		boolean["--"+f.Name] = f.IsBoolFlag()
	}
	var plain []string
	for i := 0; i < len(args); i++ {
		if args[i] == "--" {
			return append(plain, args[i:]...), nil
		}
		name, value, assigned := strings.Cut(args[i], "=")
		switches, known := boolean[name]
		switch {
		case known && switches && assigned:
			on, err := strconv.ParseBool(value)
			if err != nil {
				return nil, fmt.Errorf("%s: %q is neither true nor false", name, value)
			}
			if !on {
				name = "--no-" + strings.TrimPrefix(name, "--")
			}
			plain = append(plain, name)
		case known && !switches && !assigned && i+1 < len(args) && looksOtherwise(args[i+1]):
			i++
			plain = append(plain, name+"="+args[i])
		default:
			plain = append(plain, args[i])
		}
	}
	return plain, nil
}

// looksOtherwise reports whether kingpin does not take an argument for a value, although it is no flag: a YAML document that
// begins with its marker, which is how custom resources may be given, a number below 0, what begins like a file of arguments.
func looksOtherwise(arg string) bool {
	dashes := len(arg) - len(strings.TrimLeft(arg, "-"))
	return strings.HasPrefix(arg, "@") || dashes == 1 || dashes > 2
}

// splitNames takes names that were repeated or separated by commas apart; each is there once.
func splitNames(values []string) []string {
	var list []string
	for _, v := range values {
		for name := range strings.SplitSeq(v, ",") {
			if name = strings.TrimSpace(name); name != "" && !slices.Contains(list, name) {
				list = append(list, name)
			}
		}
	}
	return list
}

// splitPatterns takes regular expressions apart. Commas within brackets, such as in kube_.{2,4}_info, belong to them.
func splitPatterns(values []string) []string {
	var list []string
	for _, v := range values {
		for v != "" {
			end := patternEnd(v)
			if p := strings.TrimSpace(v[:end]); p != "" {
				list = append(list, p)
			}
			v = strings.TrimPrefix(v[end:], ",")
		}
	}
	return list
}

// patternEnd returns where the first pattern of v ends: at a comma or at the end.
func patternEnd(v string) int {
	depth := 0
	for i := 0; i < len(v); i++ {
		switch v[i] {
		case '\\':
			i++ // the next character has no meaning
		case '[':
			i += classEnd(v[i:])
		case '(', '{':
			depth++
		case ')', '}':
			depth--
		case ',':
			if depth <= 0 {
				return i
			}
		}
	}
	return len(v)
}

// classEnd returns where the character class that v begins with ends: at a bracket
// that is neither the first character in it nor part of a name such as [:alpha:].
func classEnd(v string) int {
	i := len("[")
	if strings.HasPrefix(v[i:], "^") {
		i++
	}
	for first := i; i < len(v); i++ {
		named, isNamed := strings.CutPrefix(v[i:], "[:")
		name := strings.Index(named, ":]")
		switch {
		case v[i] == '\\':
			i++
		case isNamed && name >= 0:
			i += len("[:") + name + len(":")
		case v[i] == ']' && i > first:
			return i
		}
	}
	return len(v)
}
