package fleet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestParseCommand(t *testing.T) {
	f := func(arguments string, want ...string) {
		t.Helper()
		c, err := ParseCommand("exporter", arguments)
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.expand(Place{Kubeconfig: "k", Port: 1, TelemetryPort: 2, Shard: 3, Shards: 4})
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: got %q, %v, want %q", arguments, got, err, want)
		}
	}
	common := []string{"exporter", "--host=127.0.0.1", "--telemetry-host=127.0.0.1",
		"--port=1", "--telemetry-port=2", "--kubeconfig=k", "--shard=3", "--total-shards=4"}
	f("", common...)
	f(" --resources=pods  --x", append(common, "--resources=pods", "--x")...)
	f("-k {{.Kubeconfig}} -p {{.Port}} -s {{.Shard}}/{{.Shards}}", "exporter", "-k", "k", "-p", "1", "-s", "3/4")
}

func TestParseCommandNamesTheArgument(t *testing.T) {
	for _, arguments := range []string{"--port={{.Prot}}", "--port={{.Port"} {
		if _, err := ParseCommand("exporter", arguments); err == nil || !strings.Contains(err.Error(), arguments) {
			t.Errorf("%q: got error %v, want one that names the argument", arguments, err)
		}
	}
}

func TestUsageOfThisProcess(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("there is no /proc")
	}
	u, err := UsageOf(os.Getpid())
	if err != nil || u.Resident == 0 || u.Peak < u.Resident {
		t.Errorf("got %+v, %v, want a resident memory that is not above its peak", u, err)
	}
}

// TestFleetIsResized runs shells in place of exporters.
func TestFleetIsResized(t *testing.T) {
	shell := Command{"/bin/sh", "-c", `[ {{.Shard}} != 3 ] || exit 7; trap 'exit 0' TERM; while :; do sleep 0.01; done`}
	f, err := Start(Options{Command: shell, Shards: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Stop()
	for _, n := range []int{3, 1} {
		if err := f.Resize(n); err != nil || len(f.Replicas) != n || f.Ended() != nil {
			t.Fatalf("got %d replicas, want %d: %v, %v", len(f.Replicas), n, err, f.Ended())
		}
	}
	if err := f.Resize(4); err != nil {
		t.Fatal(err)
	}
	err = f.Until(t.Context(), DefaultTimeout, "a condition that is never met", func(context.Context) error { return errors.New("not yet") })
	if err == nil || !strings.Contains(err.Error(), "shard-3 has ended: exit status 7") {
		t.Errorf("got error %v, want one with the exit status of shard-3", err)
	}
}

func TestUntilNamesTheLastError(t *testing.T) {
	err := Until(t.Context(), pollInterval, "a condition", func(context.Context) error { return errors.New("not met") })
	if err == nil || !strings.Contains(err.Error(), "a condition: not met") {
		t.Errorf("got error %v, want one with the last error", err)
	}
}

func TestReplacedReplicaRunsTheNewCommand(t *testing.T) {
	shell := func(word string) Command {
		return Command{"/bin/sh", "-c", "trap 'exit 0' TERM; echo " + word + " {{.Shard}}; while :; do sleep 0.01; done"}
	}
	f, err := Start(Options{Command: shell("old"), Shards: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Stop()
	logs := func(i int, want string) {
		t.Helper()
		err := Until(t.Context(), DefaultTimeout, want, func(context.Context) error {
			if got := f.Replicas[i].Log(); got != want {
				return fmt.Errorf("got the log %q of replica %d", got, i)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	logs(0, "old 0\n")
	logs(1, "old 1\n")
	f.Run(shell("new"))
	old, ended := f.Replicas[1], false
	if err := f.Replace(1, func() error { ended = !old.Running(); return nil }); err != nil || !ended {
		t.Errorf("got error %v, and the old replica had ended: %v, want nil and true", err, ended)
	}
	logs(0, "old 0\n")
	logs(1, "new 1\n")
	if cpu, err := old.CPU(); err != nil || cpu <= 0 {
		t.Errorf("got CPU time %s, %v of the replica that has ended, want more than 0", cpu, err)
	}
}
