// Command statefleet exposes the state of Kubernetes objects as Prometheus metrics: one replica of a fleet, or the
// whole of it. See statefleet --help.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // CronJobs name time zones, and the image has no files of them
)

// Exit statuses.
const (
	exitOK      = 0
	exitFailure = 1 // something outside of the command line is wrong
	exitUsage   = 2 // the command line is wrong
)

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }

// run is the program: it ends with ctx, SIGINT or SIGTERM, reads its files anew on SIGHUP, and returns the exit status. What was asked for goes to
// stdout, errors and logs go to stderr.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if completesCommand(args) {
		_, _ = fmt.Fprintln(stdout, estimateCommand)
		return exitOK
	}
	if rest, ok := asksForEstimate(args); ok {
		return estimate(ctx, rest, stdout, stderr)
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once

	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)

	s, _, done, err := load(args, stdout, stderr)
	if err != nil || done {
		return status(stderr, err)
	}
	p, err := build(ctx, s)
	if err != nil {
		return status(stderr, s.origins.explain(err))
	}
	p.generations.hangup = hangup
	p.generations.load = func() (*settings, []file, error) {
		s, files, _, err := load(args, io.Discard, stderr)
		return s, files, err
	}
	return status(stderr, p.run(ctx))
}

// usageError is an error of the command line.
type usageError struct{ error }

// status reports err, if any, and returns the exit status it stands for.
func status(stderr io.Writer, err error) int {
	if err == nil {
		return exitOK
	}
	code, hint := exitFailure, ""
	var usage usageError
	if errors.As(err, &usage) {
		code, hint = exitUsage, " (see statefleet --help)"
	}
	_, _ = fmt.Fprintf(stderr, "statefleet: error: %v%s\n", err, hint) // there is no other place to say it
	return code
}
