// Package command runs the programs that are in benchmarks: how flags, signals and
// exit statuses are dealt with is the same for all of them.
package command

import (
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
	Failure // the work has failed
	Usage   // the arguments are no good
)

// Program is a program and what it does.
type Program struct {
	// App has the flags. Their values are set before Check and Work are called.
	App *kingpin.Application
	// Check refuses values that cannot be used. It is told which of the commands
	// was chosen, "" where there are none; nil refuses nothing.
	Check func(chosen string) error
	// Work does what the program is for, until it is done or ctx ends, which
	// SIGINT and SIGTERM make it do.
	Work func(ctx context.Context) error
}

// Run runs the program, unless the arguments ask for help, and returns its exit status.
func (p Program) Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	done := false
	p.App.UsageWriter(stdout).ErrorWriter(stderr).Terminate(func(int) { done = true })
	p.App.HelpFlag.Short('h')
	chosen, err := p.App.Parse(args)
	if done {
		return OK
	}
	if err == nil && p.Check != nil {
		err = p.Check(chosen)
	}
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "%s: %v\n", p.App.Name, err)
		return Usage
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := p.Work(ctx); err != nil {
		_, _ = fmt.Fprintf(stderr, "%s: %v\n", p.App.Name, err)
		return Failure
	}
	return OK
}
