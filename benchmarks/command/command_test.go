package command

import (
	"bytes"
	"context"
	"errors"
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
		app := kingpin.New("program", "Does nothing.")
		n := app.Flag("n", "A number.").Default("1").Int()
		worked := false
		got := Program{
			App: app,
			Check: func(string) error {
				if *n < 0 {
					return errors.New("--n is below zero")
				}
				return nil
			},
			Work: func(context.Context) error {
				if worked = true; *n == 0 {
					return errors.New("nothing to do")
				}
				return nil
			},
		}.Run(t.Context(), args, &stdout, &stderr)
		if got != want || !strings.Contains(stdout.String()+stderr.String(), message) {
			t.Errorf("%q: status %d, want %d and %q; output %s%s", args, got, want, message, &stdout, &stderr)
		}
		if wanted := message == "" || want == Failure; worked != wanted {
			t.Errorf("%q: it worked: %v", args, worked)
		}
	}
	f(OK, "")
	f(OK, "Does nothing.", "--help")
	f(Failure, "program: nothing to do", "--n=0")
	f(Usage, "program: --n is below zero", "--n=-1")
	f(Usage, "program: unknown long flag '--m'", "--m")
	f(Usage, "program: ", "--n=x")
}

func TestChosenCommandIsChecked(t *testing.T) {
	app := kingpin.New("program", "Does one of two things.")
	app.Command("one", "The first.")
	app.Command("two", "The second.")
	refused := errors.New("two is refused")
	var stderr bytes.Buffer
	got := Program{
		App: app,
		Check: func(chosen string) error {
			if chosen == "two" {
				return refused
			}
			return nil
		},
		Work: func(context.Context) error { return nil },
	}.Run(t.Context(), []string{"two"}, &stderr, &stderr)
	if got != Usage || !strings.Contains(stderr.String(), refused.Error()) {
		t.Errorf("status %d, %s", got, &stderr)
	}
}

func TestSignalEndsWork(t *testing.T) {
	got := Program{App: kingpin.New("program", ""), Work: func(ctx context.Context) error {
		self, err := os.FindProcess(os.Getpid())
		if err != nil {
			return err
		}
		if err := self.Signal(syscall.SIGTERM); err != nil {
			return err
		}
		<-ctx.Done()
		return nil
	}}.Run(t.Context(), nil, &bytes.Buffer{}, &bytes.Buffer{})
	if got != OK {
		t.Errorf("status %d", got)
	}
}
