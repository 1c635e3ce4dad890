// Package command runs the subcommands of the benchmarks program. It handles flags, signals and exit
// statuses in the same way for all of them.
package command

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kingpin/v2"
)

// Exit statuses.
const (
	OK      = iota
	Failure // the command failed
	Usage   // the arguments are invalid
)

// Command is a subcommand with registered flags. The flags are parsed before Check and Run are called.
type Command struct {
	Clause *kingpin.CmdClause
	// Check returns an error if a flag has an invalid value. It may be nil.
	Check func() error
	// Run runs the command until it is done or ctx ends. SIGINT and SIGTERM end ctx. Run writes results to
	// out, and progress messages to progress.
	Run func(ctx context.Context, out, progress io.Writer) error
}

// Group registers the commands of a package and returns them.
type Group func(*kingpin.Application) []Command

// Run runs the chosen command, unless the arguments ask for help, and returns the exit status.
func Run(ctx context.Context, app *kingpin.Application, args []string, stdout, stderr io.Writer, groups ...Group) int {
	commands := map[string]Command{}
	for _, group := range groups {
		for _, c := range group(app) {
			commands[c.Clause.FullCommand()] = c
		}
	}
	helpShown := false
	app.UsageWriter(stdout).ErrorWriter(stderr).Terminate(func(int) { helpShown = true })
	app.HelpFlag.Short('h')
	chosen, err := app.Parse(args)
	if helpShown {
		return OK
	}
	c := commands[chosen]
	if err == nil && c.Check != nil {
		err = c.Check()
	}
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "%s: %v\n", app.Name, err)
		return Usage
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := c.Run(ctx, stdout, stderr); err != nil {
		_, _ = fmt.Fprintf(stderr, "%s: %v\n", chosen, err)
		return Failure
	}
	return OK
}

// Binary adds the flag --binary, the path of the exporter.
func Binary(c *kingpin.CmdClause) *string {
	return c.Flag("binary", "The statefleet binary.").Default("bin/statefleet").String()
}

// AtLeast returns an error for the first value of a flag that is below the minimum.
func AtLeast[T cmp.Ordered](flag string, least T, values ...T) error {
	for _, v := range values {
		if v < least {
			return fmt.Errorf("--%s must be at least %v, got %v", flag, least, v)
		}
	}
	return nil
}
