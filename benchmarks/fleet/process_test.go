package fleet_test

import (
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/statefleet/statefleet/benchmarks/fleet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStopEndsTheChildAndKeepsItsLog(t *testing.T) {
	p, err := fleet.StartProcess("sleeper", "/bin/sh", "-c", "trap 'echo bye; exit 0' TERM; echo hello; while :; do sleep 0.01; done")
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); !strings.Contains(p.Log(), "hello"); {
		if time.Now().After(deadline) {
			t.Fatalf("no greeting, log: %q", p.Log())
		}
		time.Sleep(5 * time.Millisecond)
	}
	if err := p.Stop(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	if p.Running() || p.ExitCode() != 0 || !strings.Contains(p.Log(), "bye") {
		t.Fatalf("running %v, exit code %d, log %q", p.Running(), p.ExitCode(), p.Log())
	}
}

func TestStopKillsAChildThatDoesNotListen(t *testing.T) {
	p, err := fleet.StartProcess("deaf", "/bin/sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.01; done")
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); !strings.Contains(p.Log(), "up") && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
	if err := p.Stop(50 * time.Millisecond); err == nil || p.Running() || p.ExitCode() != 128+9 {
		t.Fatalf("want an error, no process and the code of SIGKILL, got %v, running %v, %d", err, p.Running(), p.ExitCode())
	}
}

func TestStartSaysWhatIsMissing(t *testing.T) {
	_, err := fleet.StartProcess("absent", "/no/such/program")
	if err == nil || !strings.Contains(err.Error(), "starting absent") {
		t.Fatalf("got %v", err)
	}
}

func TestReservedPortsAreDifferent(t *testing.T) {
	seen := map[int]bool{}
	for range 40 { // 800 of 17,000: some would be given twice
		ports, release, err := fleet.ReservePorts("127.0.0.1", 20)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(release)
		for _, port := range ports {
			if seen[port] {
				t.Fatalf("port %d twice", port)
			}
			seen[port] = true
		}
	}
}

func TestBuildChangedNeedsTheTextOnce(t *testing.T) {
	for _, old := range []string{"no such text", "fnv"} {
		_, err := fleet.BuildChanged(fleet.Statefleet, "shard/hash.go", old, "")
		if err == nil || !strings.Contains(err.Error(), "want once") {
			t.Errorf("%q: %v", old, err)
		}
	}
}
