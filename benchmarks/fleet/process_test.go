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
			t.Fatalf("got log %q, want one with the greeting", p.Log())
		}
		time.Sleep(5 * time.Millisecond)
	}
	if err := p.Stop(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	if p.Running() || p.ExitCode() != 0 || !strings.Contains(p.Log(), "bye") {
		t.Fatalf("got running %v, exit code %d and log %q, want false, 0 and a log with bye", p.Running(), p.ExitCode(), p.Log())
	}
}

func TestStopKillsAChildThatIgnoresSIGTERM(t *testing.T) {
	p, err := fleet.StartProcess("deaf", "/bin/sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.01; done")
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); !strings.Contains(p.Log(), "up") && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
	if err := p.Stop(50 * time.Millisecond); err == nil || p.Running() || p.ExitCode() != 128+9 {
		t.Fatalf("got error %v, running %v, exit code %d, want an error, false and %d", err, p.Running(), p.ExitCode(), 128+9)
	}
}

func TestStartErrorNamesTheProcess(t *testing.T) {
	_, err := fleet.StartProcess("absent", "/no/such/program")
	if err == nil || !strings.Contains(err.Error(), "starting absent") {
		t.Fatalf("got error %v, want one that names the process", err)
	}
}

func TestReservedPortsAreDifferent(t *testing.T) {
	seen := map[int]bool{}
	for range 40 { // 800 of 17,000 ports: without reservations some would occur twice
		ports, release, err := fleet.ReservePorts("127.0.0.1", 20)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(release)
		for _, port := range ports {
			if seen[port] {
				t.Fatalf("got port %d twice", port)
			}
			seen[port] = true
		}
	}
}

func TestBuildChangedNeedsTheTextOnce(t *testing.T) {
	for _, old := range []string{"no such text", "fnv"} {
		_, err := fleet.BuildChanged(fleet.Statefleet, "shard/hash.go", old, "")
		if err == nil || !strings.Contains(err.Error(), "want once") {
			t.Errorf("%q: got error %v, want one that states the number of occurrences", old, err)
		}
	}
}
