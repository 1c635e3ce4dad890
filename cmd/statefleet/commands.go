package main

import (
	"context"
	"io"
	"slices"
	"strings"

	"github.com/statefleet/statefleet/internal/config"
)

// streams are the standard streams of the process.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// command is a subcommand, which runs instead of the exporter if its name is the first argument. All
// other arguments of the program are flags, so that arguments for kube-state-metrics keep their meaning.
type command struct {
	name string
	run  func(ctx context.Context, args []string, s streams) error
}

func commands() []command {
	return []command{
		{config.EstimateCommand, estimate}, {config.RenderCommand, renderManifests}, {config.CheckCommand, checkConfig},
	}
}

// completionFlag is the argument that shell completion puts before the words typed so far.
const completionFlag = "--completion-bash"

// findCommand returns the command that args begin with, and the arguments without its name; nil if
// there is none.
func findCommand(args []string) (c *command, rest []string) {
	for _, c := range commands() {
		switch {
		case len(args) > 0 && args[0] == c.name:
			return &c, args[1:]
		case len(args) > 2 && args[0] == completionFlag && args[1] == c.name:
			return &c, slices.Concat(args[:1], args[2:])
		}
	}
	return nil, nil
}

// completions returns the names of the commands that begin with a prefix.
func completions(prefix string) (names []string) {
	for _, c := range commands() {
		if strings.HasPrefix(c.name, prefix) {
			names = append(names, c.name)
		}
	}
	return names
}

// helpAsFlag replaces the help command, of the program or of a subcommand, by the flag: both "help
// estimate" and "estimate help" become "estimate --help".
func helpAsFlag(args []string) []string {
	if len(args) > 0 && args[0] == config.HelpCommand {
		return append(slices.Clone(args[1:]), "--help")
	}
	if c, rest := findCommand(args); c != nil && slices.Equal(rest, []string{config.HelpCommand}) {
		return []string{c.name, "--help"}
	}
	return args
}
