package fleet

import (
	"fmt"
	"time"

	"github.com/prometheus/procfs"
)

// Usage is what the kernel accounts to a process, of any program.
type Usage struct {
	// CPU is user and system time since the start, in steps of 10 ms.
	CPU time.Duration
	// Resident and Peak are bytes of resident memory now and at most.
	Resident, Peak uint64
	// Anonymous is the part of Resident that does not belong to files, such as the program itself.
	Anonymous uint64
}

// Usage reads /proc; elsewhere than on Linux it fails.
func (p *Process) Usage() (Usage, error) {
	u, err := UsageOf(p.PID())
	if err != nil {
		return u, fmt.Errorf("CPU and memory of %s: %w", p.name, err)
	}
	return u, nil
}

// UsageOf is that of the process with an id.
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

// Proportional is the resident memory in bytes, with pages that several processes share divided by
// their number. The kernel looks at every page to tell it, so Usage leaves it out.
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
