package app

import (
	"context"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/statefleet/statefleet/internal/config"
	"github.com/statefleet/statefleet/internal/testing/exporter"
)

// TestMain sets the local time zone, which applies to CronJobs that name none.
func TestMain(m *testing.M) {
	time.Local = time.UTC
	goleak.VerifyTestMain(m)
}

// program is a run of this package.
type program struct {
	*exporter.Exporter
	hangup chan os.Signal
}

func start(t *testing.T, args ...string) *program {
	t.Helper()
	p := &program{hangup: make(chan os.Signal, 1)}
	p.Exporter = exporter.Start(t, func(ctx context.Context, args []string, stderr io.Writer) error {
		return runProcess(ctx, args, stderr, p.hangup)
	}, args...)
	return p
}

// runProcess runs a process with these arguments, as package main does.
func runProcess(ctx context.Context, args []string, stderr io.Writer, hangup <-chan os.Signal) error {
	c, _, err := config.Load(args, io.Discard, stderr)
	if err != nil {
		return err
	}
	return Run(ctx, c, Reload{Hangup: hangup, Load: func() (*config.Config, error) {
		c, _, err := config.Load(args, io.Discard, stderr)
		return c, err
	}})
}

// hangUp asks for a reload.
func (p *program) hangUp() { p.hangup <- syscall.SIGHUP }

// selfMetrics returns the self-metrics of the program.
func (p *program) selfMetrics(t *testing.T) string {
	t.Helper()
	_, text := p.Get(t, p.Telemetry, "/metrics")
	return text
}

// samples returns the sample lines of an exposition, sorted, for comparison.
func samples(text string) string { return strings.Join(exporter.Lines(text), "") }
