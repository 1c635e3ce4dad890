// Package report writes results: the machine and the cluster of a measurement, tables, and result files.
package report

import (
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/prometheus/procfs"

	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/benchmarks/simulator"
)

// Conditions describes the machine, the build and the cluster of a measurement.
type Conditions struct {
	CPU     string
	Cores   int
	System  string
	Go      string
	Commit  string
	Objects map[string]simulator.Mix
	// ServerMiB is the resident memory of this program, which holds the simulated cluster.
	ServerMiB float64
	// MemoryAccess is the duration of a random memory access in nanoseconds, measured once per run.
	MemoryAccess float64
}

// Observe returns the conditions of this machine, this program, and a cluster in this process. Fields that the
// machine does not provide stay empty.
func Observe(commit string, cluster *simulator.Cluster) Conditions {
	c := Conditions{
		Cores: runtime.NumCPU(), System: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version(), Commit: commit,
		Objects: cluster.Mix(), MemoryAccess: memoryAccess(),
	}
	if used, err := fleet.UsageOf(os.Getpid()); err == nil {
		c.ServerMiB = float64(used.Resident) / (1 << 20)
	}
	if fs, err := procfs.NewDefaultFS(); err == nil {
		if cpus, err := fs.CPUInfo(); err == nil && len(cpus) > 0 {
			c.CPU = cpus[0].ModelName
		}
	}
	return c
}

// Write writes the conditions as lines of Markdown. It ignores errors of w.
func (c Conditions) Write(w io.Writer) {
	var all simulator.Mix
	for _, m := range c.Objects {
		all.Objects += m.Objects
		all.Bytes += m.Bytes
	}
	pods := c.Objects["pods"]
	_, _ = fmt.Fprintf(w, "%s, %d cores, %s, %s, commit %s.\n", c.CPU, c.Cores, c.System, c.Go, c.Commit)
	_, _ = fmt.Fprintf(w, "%d objects, %.0f MB in protobuf; %d of them pods of %.1f kB, %d jobs, %d nodes.\n",
		all.Objects, float64(all.Bytes)/1e6, pods.Objects, float64(pods.Bytes)/1e3/float64(max(pods.Objects, 1)),
		c.Objects["jobs"].Objects, c.Objects["nodes"].Objects)
	if c.MemoryAccess > 0 {
		_, _ = fmt.Fprintf(w, "A random access to memory took %s ns. The simulated API server holds the cluster in %.0f MiB.\n",
			Number(c.MemoryAccess), c.ServerMiB)
	}
}
