package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"github.com/statefleet/statefleet/internal/testing/exporter"
)

func TestMain(m *testing.M) { testscript.Main(leakChecked{m}, map[string]func(){"statefleet": main}) }

// leakChecked runs the tests with UTC as the local time zone, which applies to CronJobs that name none, and fails if
// goroutines are left after them.
type leakChecked struct{ *testing.M }

func (m leakChecked) Run() int {
	time.Local = time.UTC
	code := m.M.Run()
	if code != 0 {
		return code
	}
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// start runs the program until the test ends.
func start(t *testing.T, args ...string) *exporter.Exporter {
	t.Helper()
	return exporter.Start(t, func(ctx context.Context, args []string, stderr io.Writer) error {
		if code := run(ctx, args, io.Discard, stderr); code != exitOK {
			return fmt.Errorf("exit status %d", code)
		}
		return nil
	}, args...)
}

func TestSignalEndsTheProgramGracefully(t *testing.T) {
	_, api := exporter.Cluster(t)
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		p := start(t, api, "--resources=jobs")
		p.Samples(t)
		if err := syscall.Kill(os.Getpid(), signal); err != nil {
			t.Fatal(err)
		}
		p.Wait(t)
		if !strings.Contains(p.Log.String(), "msg=stopping") {
			t.Errorf("%v: the log lacks msg=stopping:\n%s", signal, p.Log.String())
		}
	}
}

func TestHangupReloadsTheConfigurationFile(t *testing.T) {
	_, api := exporter.Cluster(t)
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte("resources: [jobs]"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, api, "--config="+file)
	p.Samples(t)
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	exporter.Eventually(t, "the configuration is reloaded", func() bool { return strings.Contains(p.Log.String(), "configuration unchanged") })
}
