package fleet

import (
	"fmt"
	"time"

	"github.com/prometheus/procfs"
)

// Usage is the CPU time and memory of a process.
type Usage struct {
	// CPU is user and system time since the start, in steps of 10 ms.
	CPU time.Duration
	// Resident and Peak are the current and the maximum resident memory, in bytes.
	Resident, Peak uint64
	// Anonymous is Resident without the memory of files, such as the program itself.
	Anonymous uint64
}

// Usage returns the usage of the child. It reads /proc and fails on systems other than Linux.
func (p *Process) Usage() (Usage, error) {
	u, err := UsageOf(p.PID())
	if err != nil {
		return u, fmt.Errorf("CPU and memory of %s: %w", p.name, err)
	}
	return u, nil
}

// UsageOf returns the usage of a process.
func UsageOf(pid int) (Usage, error) {
	process, err := procfs.NewProc(pid)
	if err != nil {
		return Usage{}, err
	}
	stat, err := process.Stat()
	if err != nil {
		return Usage{}, err
	}
	status, err := process.NewStatus()
	if err != nil {
		return Usage{}, err
	}
	return Usage{
		CPU:      time.Duration(stat.CPUTime() * float64(time.Second)).Round(time.Millisecond),
		Resident: status.VmRSS, Peak: status.VmHWM, Anonymous: status.RssAnon,
	}, nil
}

// Proportional returns the proportional set size of the child in bytes: its resident memory, with each
// shared memory page divided by the number of processes that share it. The kernel inspects every memory
// page for it, so it is not a part of Usage.
func (p *Process) Proportional() (uint64, error) {
	process, err := procfs.NewProc(p.PID())
	if err != nil {
		return 0, err
	}
	all, err := process.ProcSMapsRollup()
	if err != nil {
		return 0, fmt.Errorf("proportional memory of %s: %w", p.name, err)
	}
	return all.Pss, nil
}
