// Package report writes what was measured: on which machine and of what cluster,
// tables of it, and the files that keep it.
package report

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/benchmarks/simulator"
)

// Conditions are what figures were measured on, and of what.
type Conditions struct {
	CPU     string
	Cores   int
	System  string
	Go      string
	Commit  string
	Objects map[string]simulator.Mix
	// ServerMiB is the resident memory of the simulated API server, which is
	// this program.
	ServerMiB float64
	Memory    MemoryAccess // at that moment, which may be before what is measured or after
}

// Observe returns those of this machine, this program and a cluster in it. It takes a
// second or two.
func Observe(commit string, cluster *simulator.Cluster) Conditions {
	return Conditions{
		CPU: processor(), Cores: runtime.NumCPU(), System: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version(), Commit: commit,
		Objects: cluster.Mix(), ServerMiB: float64(fleet.OwnUsage().Resident) / (1 << 20),
		Memory: observeMemory(),
	}
}

// Write writes them as two lines of Markdown, or three.
func (c Conditions) Write(w io.Writer) {
	all, pods := c.total(), c.Objects["pods"]
	_, _ = fmt.Fprintf(w, "%s, %d cores, %s, %s, commit %s.\n", c.CPU, c.Cores, c.System, c.Go, c.Commit)
	_, _ = fmt.Fprintf(w, "%d objects, %.0f MB in protobuf; %d of them pods of %.1f kB, %d jobs, %d nodes.\n", all.Objects, float64(all.Bytes)/1e6,
		pods.Objects, float64(pods.Bytes)/1e3/float64(max(pods.Objects, 1)), c.Objects["jobs"].Objects, c.Objects["nodes"].Objects)
	if c.Memory.Busy > 0 {
		_, _ = fmt.Fprintf(w, "A random access to memory took %s ns, %s ns after a rest.\n", Number(c.Memory.Busy), Number(c.Memory.Rested))
	}
}

// total is the mix of everything.
func (c Conditions) total() simulator.Mix {
	var all simulator.Mix
	for _, m := range c.Objects {
		all.Objects += m.Objects
		all.Bytes += m.Bytes
	}
	return all
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
