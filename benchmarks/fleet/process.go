package fleet

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Usage is what the kernel says of a shard's process, whatever the program is.
type Usage struct {
	// CPU is user and system time since the start, in steps of 10 ms.
	CPU time.Duration
	// Resident and Peak are bytes of resident memory now and at most.
	Resident, Peak int64
	// Anonymous is the part of Resident that is no file's, such as the program's.
	Anonymous int64
}

// clockTick is the unit of CPU times below /proc, on all Linux machines.
const clockTick = 10 * time.Millisecond

// Usage reads /proc; elsewhere than on Linux it fails.
func (s *Shard) Usage() (Usage, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.PID))
	if err != nil {
		return Usage{}, fmt.Errorf("CPU time of a shard: %w", err)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.PID))
	if err != nil {
		return Usage{}, fmt.Errorf("memory of a shard: %w", err)
	}
	var u Usage
	if u.CPU, err = cpuTime(stat); err != nil {
		return Usage{}, err
	}
	u.Resident, err = memoryField(status, "VmRSS:")
	if err != nil {
		return Usage{}, err
	}
	if u.Peak, err = memoryField(status, "VmHWM:"); err != nil {
		return Usage{}, err
	}
	u.Anonymous, err = memoryField(status, "RssAnon:")
	return u, err
}

// OwnUsage is that of this program; zero where the kernel does not say.
func OwnUsage() Usage {
	u, err := (&Shard{PID: os.Getpid()}).Usage()
	if err != nil {
		return Usage{}
	}
	return u
}

// cpuTime reads utime and stime of /proc/PID/stat. The program's name, which
// may hold anything, ends with the last parenthesis.
func cpuTime(stat []byte) (time.Duration, error) {
	const utime, stime = 11, 12 // counted from the state, which follows the name
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) <= stime {
		return 0, errors.New("/proc/PID/stat: too short")
	}
	user, err := strconv.ParseInt(string(fields[utime]), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("/proc/PID/stat: %w", err)
	}
	system, err := strconv.ParseInt(string(fields[stime]), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("/proc/PID/stat: %w", err)
	}
	return time.Duration(user+system) * clockTick, nil
}

// memoryField reads a line such as "VmRSS: 1024 kB" of /proc/PID/status.
func memoryField(status []byte, name string) (int64, error) {
	for line := range strings.Lines(string(status)) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok {
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc/PID/status: %w", err)
		}
		return kib << 10, nil
	}
	return 0, fmt.Errorf("/proc/PID/status: no %s", name)
}
