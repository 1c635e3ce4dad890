package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kingpin/v2"
)

// explain adds a suggestion to the parser's error for an unknown argument. It returns other errors
// unchanged.
func (cmd command) explain(app *kingpin.Application, args []string, err error) error {
	m := regexp.MustCompile(`(?s)^(?:unknown \w+ flag '(-.+)'|unexpected (.*))$`).FindStringSubmatch(err.Error())
	switch {
	case m == nil:
		return err
	case m[1] == "":
		return cmd.unexpected(app, m[2])
	}
	flag := m[1]
	if !strings.HasPrefix(flag, "--") { // the parser names the first letter only
		if at := slices.IndexFunc(args, func(arg string) bool { return strings.HasPrefix(arg, flag) }); at >= 0 {
			flag, _, _ = strings.Cut(args[at], "=")
		}
	}
	name := strings.TrimLeft(flag, "-")
	switch {
	case isKlogFlag(name):
		return fmt.Errorf("unknown flag %s: klog's flags are not supported; use --log.level", flag)
	case cmd.name == Name && slices.Contains(estimateFlags(), name):
		return fmt.Errorf("unknown flag %s: only %q has it", flag, Name+" "+EstimateCommand)
	}
	return fmt.Errorf("unknown flag %s%s", flag, didYouMean(name, "--", flagNames(app)))
}

// unexpected returns the error for an argument that is neither a flag nor its value.
func (cmd command) unexpected(app *kingpin.Application, arg string) error {
	name, _, _ := strings.Cut(arg, "=")
	expected := "only flags are expected"
	if cmd.name == Name {
		commands := []string{EstimateCommand, RenderCommand, CheckCommand, HelpCommand}
		expected = "only flags are expected, or as the first argument one of " + strings.Join(commands, ", ")
		if hint := didYouMean(name, "", commands); hint != "" && !slices.Contains(commands, name) {
			return fmt.Errorf("unexpected argument %q%s", arg, hint)
		}
	}
	if hint := didYouMean(name, "--", flagNames(app)); hint != "" {
		return fmt.Errorf("unexpected argument %q%s", arg, hint)
	}
	return fmt.Errorf("unexpected argument %q: %s", arg, expected)
}

// isKlogFlag reports whether a name is that of a flag that kube-state-metrics has from klog. -v4 is -v=4.
func isKlogFlag(name string) bool {
	return slices.Contains([]string{
		"v", "vmodule", "logtostderr", "alsologtostderr", "stderrthreshold", "log_dir", "log_file", "log_file_max_size",
		"log_backtrace_at", "skip_headers", "skip_log_headers", "add_dir_header", "one_output",
	}, strings.TrimRight(name, "0123456789"))
}

// estimateFlags returns the names of the flags that only the command estimate has.
func estimateFlags() []string {
	s := &section{app: kingpin.New(EstimateCommand, "")}
	(&Estimate{Config: newConfig()}).declareEstimate(s)
	return s.names()
}

// flagNames returns the names under which --help shows flags, with both forms of booleans.
func flagNames(app *kingpin.Application) (all []string) {
	for _, f := range app.Model().Flags {
		if f.Hidden {
			continue
		}
		all = append(all, f.Name)
		if f.IsBoolFlag() {
			all = append(all, "no-"+f.Name)
		}
	}
	return all
}

// didYouMean returns the end of an error message that suggests the most similar known name, after a
// prefix; "" if none is similar.
func didYouMean(name, prefix string, known []string) string {
	best, least := "", max(1, len(name)/3)+1
	for _, k := range known {
		if len(k)-len(name) >= least || len(name)-len(k) >= least {
			continue
		}
		if n := edits(name, k); n < least {
			best, least = k, n
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + prefix + best + "?"
}

// edits returns the edit distance: the smallest number of letters to insert, delete, replace, or swap
// with the next one to turn a into b.
func edits(a, b string) int {
	rows := make([][]int, len(a)+1) // rows[i][j] is the number for a[:i] and b[:j]
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		for j := range rows[i] {
			switch {
			case i == 0 || j == 0:
				rows[i][j] = i + j
			case a[i-1] == b[j-1]:
				rows[i][j] = rows[i-1][j-1]
			default:
				rows[i][j] = 1 + min(rows[i-1][j], rows[i][j-1], rows[i-1][j-1])
			}
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], 1+rows[i-2][j-2])
			}
		}
	}
	return rows[len(a)][len(b)]
}
