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
		got, err := c.at(Place{Kubeconfig: "k", Port: 1, TelemetryPort: 2, Shard: 3, Shards: 4})
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q gives %q, %v", arguments, got, err)
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
			t.Errorf("%q: %v", arguments, err)
		}
	}
}

func TestUsageOfThisProcess(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("no /proc here")
	}
	u, err := UsageOf(os.Getpid())
	if err != nil || u.Resident == 0 || u.Peak < u.Resident {
		t.Errorf("%+v, %v", u, err)
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
			t.Fatalf("%d replicas, want %d: %v, %v", len(f.Replicas), n, err, f.Ended())
		}
	}
	if err := f.Resize(4); err != nil {
		t.Fatal(err)
	}
	err = f.Until(t.Context(), Patience, "never so", func(context.Context) error { return errors.New("not yet") })
	if err == nil || !strings.Contains(err.Error(), "shard-3 has ended: exit status 7") {
		t.Errorf("the end of a replica is reported as %v", err)
	}
}

func TestUntilNamesTheLastError(t *testing.T) {
	err := Until(t.Context(), tick, "a miracle", func(context.Context) error { return errors.New("no sign") })
	if err == nil || !strings.Contains(err.Error(), "a miracle: no sign") {
		t.Errorf("got %v", err)
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
		err := Until(t.Context(), Patience, want, func(context.Context) error {
			if got := f.Replicas[i].Log(); got != want {
				return fmt.Errorf("replica %d logs %q", i, got)
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
		t.Errorf("the old replica had ended: %v; %v", ended, err)
	}
	logs(0, "old 0\n")
	logs(1, "new 1\n")
	if cpu, err := old.CPU(); err != nil || cpu <= 0 {
		t.Errorf("CPU of the replica that has ended: %s, %v", cpu, err)
	}
}
