package command

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/alecthomas/kingpin/v2"
)

func TestExitStatus(t *testing.T) {
	f := func(want int, message string, args ...string) {
		t.Helper()
		var stdout, stderr bytes.Buffer
		called := ""
		got := Run(t.Context(), kingpin.New("program", "Does nothing."), args, &stdout, &stderr, func(app *kingpin.Application) []Command {
			one := app.Command("one", "The first.")
			n := one.Flag("n", "A number.").Default("1").Int()
			return []Command{{
				Clause: one,
				Check:  func() error { return AtLeast("n", 0, *n) },
				Run: func(context.Context, io.Writer, io.Writer) error {
					if called = "one"; *n == 0 {
						return errors.New("nothing to do")
					}
					return nil
				},
			}}
		}, func(app *kingpin.Application) []Command {
			return []Command{{Clause: app.Command("two", "The second."), Run: func(context.Context, io.Writer, io.Writer) error {
				called = "two"
				return nil
			}}}
		})
		if got != want || !strings.Contains(stdout.String()+stderr.String(), message) {
			t.Errorf("%q: got exit status %d, want %d and a message with %q\n%s%s", args, got, want, message, &stdout, &stderr)
		}
		if ran := message == "" || want == Failure; ran != (called != "") || ran && called != args[0] {
			t.Errorf("%q: Run of %q was called, want the named command if the arguments are valid, else none", args, called)
		}
	}
	f(OK, "", "one")
	f(OK, "", "two")
	f(OK, "Does nothing.", "--help")
	f(Failure, "one: nothing to do", "one", "--n=0")
	f(Usage, "--n must be at least 0, got -1", "one", "--n=-1")
	f(Usage, "unknown long flag '--m'", "one", "--m")
	f(Usage, "program: ", "one", "--n=x")
	f(Usage, "three", "three")
}

func TestSignalEndsWork(t *testing.T) {
	got := Run(t.Context(), kingpin.New("program", ""), []string{"one"}, io.Discard, io.Discard, func(app *kingpin.Application) []Command {
		return []Command{{Clause: app.Command("one", "The first."), Run: func(ctx context.Context, _, _ io.Writer) error {
			self, err := os.FindProcess(os.Getpid())
			if err != nil {
				return err
			}
			if err := self.Signal(syscall.SIGTERM); err != nil {
				return err
			}
			<-ctx.Done()
			return nil
		}}}
	})
	if got != OK {
		t.Errorf("got exit status %d, want %d", got, OK)
	}
}
