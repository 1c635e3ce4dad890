package pressure

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// controlGroup is a control group with a memory limit. It has the names of the files for the limit and the peak.
type controlGroup struct{ dir, limitFile, peakFile string }

// errNoGroup is the error of newGroup. RLIMIT_DATA, which needs no root, cannot replace a control group: it
// counts address space, which Go keeps when it returns the memory behind it.
var errNoGroup = errors.New("cannot create a control group with a memory limit: this needs root")

// newGroup creates a control group.
func newGroup() (controlGroup, error) {
	for _, parent := range []struct{ dir, file, peak string }{
		{"/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.max_usage_in_bytes"}, {"/sys/fs/cgroup", "memory.max", "memory.peak"},
	} {
		dir, err := os.MkdirTemp(parent.dir, "statefleet-pressure-")
		if err != nil {
			continue
		}
		g := controlGroup{dir: dir, limitFile: parent.file, peakFile: parent.peak}
		if _, err := g.setLimit(1 << 30); err == nil {
			return g, nil
		}
		g.close()
	}
	return controlGroup{}, errNoGroup
}

// setLimit sets the memory limit, and returns the prefix of a command line that is to run in the group.
// GOMEMLIMIT is the value that --auto-gomemlimit derives from the limit of a container.
func (g controlGroup) setLimit(bytes uint64) (prefix []string, err error) {
	err = os.WriteFile(filepath.Join(g.dir, g.limitFile), []byte(strconv.FormatUint(bytes, 10)), 0o600)
	join := `echo $$ > ` + filepath.Join(g.dir, "cgroup.procs") + ` && exec "$@"`
	return []string{"sh", "-c", join, "sh", "env", fmt.Sprintf("GOMEMLIMIT=%d", bytes*9/10)}, err
}

// peak returns the peak of the memory of all processes in the group, in bytes, or 0 if it is not known.
func (g controlGroup) peak() int64 {
	text, err := os.ReadFile(filepath.Join(g.dir, g.peakFile))
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return n
}

func (g controlGroup) close() { _ = os.Remove(g.dir) } // a directory that remains is empty
