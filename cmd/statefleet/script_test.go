package main

import (
	"errors"
	"net"
	"os/exec"
	"regexp"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs testdata/script: command lines with their expected output and exit status.
func TestScripts(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // the scripts run after this function has returned
	_, taken, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("TAKEN", taken)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"usage":   wantExit(exitUsage),
			"failure": wantExit(exitFailure),
		},
	})
}

// wantExit returns the script command "NAME REGEXP ARGS...". It runs statefleet with these arguments and requires the
// exit status, an error on standard error that matches the expression, and nothing on standard output.
func wantExit(status int) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) == 0 {
			ts.Fatalf("usage: NAME regexp args...")
		}
		err := ts.Exec("statefleet", args[1:]...)
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != status {
			ts.Fatalf("%q: got %v, want exit status %s", args[1:], err, strconv.Itoa(status))
		}
		if out := ts.ReadFile("stdout"); out != "" {
			ts.Fatalf("%q: standard output is %q, want none", args[1:], out)
		}
		message := ts.ReadFile("stderr")
		if ok, err := regexp.MatchString("(?s)^statefleet: error: .*"+args[0], message); err != nil || !ok {
			ts.Fatalf("%q: got the error %q, want %q", args[1:], message, args[0])
		}
	}
}
