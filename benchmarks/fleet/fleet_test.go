package fleet

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"
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
	common := []string{"exporter", "--kubeconfig=k", "--host=127.0.0.1", "--telemetry-host=127.0.0.1",
		"--port=1", "--telemetry-port=2", "--shard=3", "--total-shards=4"}
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

func TestCPUTime(t *testing.T) {
	got, err := cpuTime([]byte("12 (a) b (c) S 1 12 12 0 -1 4194304 9 0 0 0 250 50 0 0 20 0 5 0 1"))
	if err != nil || got != 3*time.Second {
		t.Errorf("%s, %v", got, err)
	}
	for _, bad := range []string{"", "12 (a) S 1", "12 (a) S 1 12 12 0 -1 4194304 9 0 0 0 x 50 0", "12 (a) S 1 12 12 0 -1 4194304 9 0 0 0 5 x 0"} {
		if _, err := cpuTime([]byte(bad)); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestMemoryField(t *testing.T) {
	const status = "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t 1024 kB\nVmBad:\t many kB\n"
	if got, err := memoryField([]byte(status), "VmRSS:"); err != nil || got != 1<<20 {
		t.Errorf("%d, %v", got, err)
	}
	for _, name := range []string{"VmSwap:", "VmBad:"} {
		if _, err := memoryField([]byte(status), name); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestUsageOfThisProcess(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("no /proc here")
	}
	u, err := (&Shard{PID: os.Getpid()}).Usage()
	if err != nil || u.Resident <= 0 || u.Peak < u.Resident {
		t.Errorf("%+v, %v", u, err)
	}
}

func TestSampleCounter(t *testing.T) {
	var c sampleCounter
	for _, part := range []string{"# HELP a b\na", "{} 1\nb 2\n#", " EOF\n"} {
		if n, err := c.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
	}
	if c.n != 2 {
		t.Errorf("%d samples", c.n)
	}
}
