package main

import (
	"os"
	"runtime"
	"strings"

	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/benchmarks/simulator"
)

// conditions are what figures were measured on, and of what.
type conditions struct {
	CPU     string
	Cores   int
	System  string
	Go      string
	Commit  string
	Objects map[string]simulator.Mix
	// Rates of the churn, each second.
	JobsPerSecond, StatusUpdatesPerSecond, HeartbeatsPerSecond float64
	// ServerMiB is the resident memory of the simulated API server, which is
	// this program.
	ServerMiB float64
}

func (b *bench) conditions() conditions {
	return conditions{
		CPU: processor(), Cores: runtime.NumCPU(), System: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version(), Commit: b.commit,
		Objects:       b.cluster.Mix(),
		JobsPerSecond: b.jobs, StatusUpdatesPerSecond: b.updates, HeartbeatsPerSecond: b.heartbeats,
		ServerMiB: float64(ownUsage().Resident) / mebi,
	}
}

// total is the mix of everything.
func (c conditions) total() simulator.Mix {
	var all simulator.Mix
	for _, m := range c.Objects {
		all.Objects += m.Objects
		all.Bytes += m.Bytes
	}
	return all
}

// ownUsage is that of this program; zero where the kernel does not say.
func ownUsage() fleet.Usage {
	u, err := (&fleet.Shard{PID: os.Getpid()}).Usage()
	if err != nil {
		return fleet.Usage{}
	}
	return u
}

// processor is the model's name as the kernel has it; "" elsewhere than on Linux.
func processor() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
