package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// limiter makes command lines that run with a memory limit.
type limiter interface {
	name() string
	// words come in front of a command line; GOMEMLIMIT is what --auto-gomemlimit
	// makes of the limit of a container.
	words(bytes int64) ([]string, error)
	// peak is the most that a process with the limit has had, 0 where nobody says.
	peak() int64
	close()
}

// newLimiter returns one of control groups, or of RLIMIT_DATA where none can be made.
func newLimiter(noGroup bool) limiter {
	if noGroup {
		return dataLimit{}
	}
	for _, parent := range []struct{ dir, file, peak string }{
		{"/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.max_usage_in_bytes"}, {"/sys/fs/cgroup", "memory.max", "memory.peak"},
	} {
		dir, err := os.MkdirTemp(parent.dir, "statefleet-pressure-")
		if err != nil {
			continue
		}
		g := controlGroup{dir: dir, limit: parent.file, most: parent.peak}
		if _, err := g.words(1 << 30); err == nil {
			return g
		}
		g.close()
	}
	return dataLimit{}
}

func environment(bytes int64) []string {
	return []string{"env", fmt.Sprintf("GOMEMLIMIT=%d", bytes*9/10)}
}

// controlGroup is a group with the names of its files for the limit and the peak.
type controlGroup struct{ dir, limit, most string }

func (controlGroup) name() string { return "control group" }

func (g controlGroup) words(bytes int64) ([]string, error) {
	err := os.WriteFile(filepath.Join(g.dir, g.limit), []byte(strconv.FormatInt(bytes, 10)), 0o600)
	join := `echo $$ > ` + filepath.Join(g.dir, "cgroup.procs") + ` && exec "$@"`
	return append([]string{"sh", "-c", join, "sh"}, environment(bytes)...), err
}

func (g controlGroup) peak() int64 {
	text, err := os.ReadFile(filepath.Join(g.dir, g.most))
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return n
}

func (g controlGroup) close() { _ = os.Remove(g.dir) } // an empty directory harms nobody

type dataLimit struct{}

func (dataLimit) name() string { return "RLIMIT_DATA" }

// reserved is what Go has of writable address space beyond what it uses: RLIMIT_DATA
// counts space, not memory.
const reserved = 64 << 20

func (dataLimit) words(bytes int64) ([]string, error) {
	return append([]string{"prlimit", fmt.Sprintf("--data=%d", bytes+reserved)}, environment(bytes)...), nil
}

func (dataLimit) peak() int64 { return 0 }

func (dataLimit) close() {}
