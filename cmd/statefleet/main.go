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

const programName = "statefleet"

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }

// run is the program: it ends with ctx, SIGINT or SIGTERM, reads its files again on SIGHUP, and returns the exit status. What was asked for goes to
// stdout, errors and logs go to stderr.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if rest, ok := asksForEstimate(args); ok {
		return status(stderr, estimateName, estimate(ctx, rest, stdout, stderr))
	}
	if completesCommand(args) {
		return status(stderr, programName, writeLine(stdout, estimateCommand))
	}

	tuneStart()
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)

	s, _, done, err := load(args, stdout, stderr)
	if err != nil || done {
		return status(stderr, programName, err)
	}
	p, err := build(ctx, s)
	if err != nil {
		return status(stderr, programName, s.origins.explain(err))
	}
	p.generations.hangup = hangup
	p.generations.load = func() (*settings, []file, error) {
		s, files, _, err := load(args, io.Discard, stderr)
		return s, files, err
	}
	return status(stderr, programName, p.run(ctx))
}

// usageError is an error of the command line.
type usageError struct{ error }

// status reports err, if any, and returns the exit status it stands for. name is what was called, for its help.
func status(stderr io.Writer, name string, err error) int {
	if err == nil {
		return exitOK
	}
	code, hint := exitFailure, ""
	var usage usageError
	if errors.As(err, &usage) {
		code, hint = exitUsage, " (see "+name+" --help)"
	}
	_, _ = fmt.Fprintf(stderr, "statefleet: error: %v%s\n", err, hint) // there is no other place to say it
	return code
}
