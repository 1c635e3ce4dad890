// Command statefleet exposes the state of Kubernetes objects as Prometheus metrics: one replica of
// a fleet, or a single process. See statefleet --help.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	_ "time/tzdata" // CronJobs name time zones, and the image has no files of them

	"github.com/statefleet/statefleet/internal/app"
	"github.com/statefleet/statefleet/internal/config"
)

// Exit statuses.
const (
	exitOK      = 0
	exitFailure = 1 // something other than the command line is wrong
	exitUsage   = 2 // the command line is wrong
)

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }

// run runs the program until ctx ends or it gets SIGINT or SIGTERM, and returns the exit status. It
// reloads its files on SIGHUP. Output that was asked for goes to stdout, errors and logs to stderr.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	s := streams{os.Stdin, stdout, stderr}
	args = helpAsFlag(args)
	if c, rest := findCommand(args); c != nil {
		return report(stderr, config.Name+" "+c.name, c.run(ctx, rest, s))
	}
	if len(args) == 2 && args[0] == completionFlag {
		if names := completions(args[1]); len(names) > 0 {
			_, err := fmt.Fprintln(stdout, strings.Join(names, "\n"))
			return report(stderr, config.Name, err)
		}
	}
	err := export(ctx, args, stdout, stderr)
	code := report(stderr, config.Name, err)
	explain(stderr, args, err)
	return code
}

// export runs the exporter.
func export(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	c, done, err := config.Load(args, stdout, stderr)
	if err != nil || done {
		return err
	}
	return app.Run(ctx, c, app.Reload{Hangup: hangup, Load: func() (*config.Config, error) {
		c, _, err := config.Load(args, io.Discard, stderr)
		return c, err
	}})
}

// report writes an error, if there is one, and returns the exit status. command is the command whose
// help describes the usage.
func report(stderr io.Writer, command string, err error) int {
	if err == nil {
		return exitOK
	}
	code, hint := exitFailure, ""
	var usage config.UsageError
	if errors.As(err, &usage) {
		code, hint = exitUsage, " (see "+command+" --help)"
	}
	_, _ = fmt.Fprintf(stderr, "%s: error: %v%s\n", config.Name, err, hint) // there is no other place to report it
	return code
}
