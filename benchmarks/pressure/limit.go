package pressure

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// controlGroup is a group with the names of its files for the limit and the peak.
type controlGroup struct{ dir, limit, most string }

// errNoGroup says why there is nothing else: RLIMIT_DATA, which needs no rights, counts
// address space, and Go does not give that back with the memory behind it.
var errNoGroup = errors.New("no control group for memory can be made here, which takes root, and nothing else limits memory")

// newGroup makes a group.
func newGroup() (controlGroup, error) {
	for _, parent := range []struct{ dir, file, peak string }{
		{"/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.max_usage_in_bytes"}, {"/sys/fs/cgroup", "memory.max", "memory.peak"},
	} {
		dir, err := os.MkdirTemp(parent.dir, "statefleet-pressure-")
		if err != nil {
			continue
		}
		g := controlGroup{dir: dir, limit: parent.file, most: parent.peak}
		if _, err := g.words(1 << 30); err == nil {
			return g, nil
		}
		g.close()
	}
	return controlGroup{}, errNoGroup
}

// words come in front of a command line that is to run with a limit; GOMEMLIMIT is what
// --auto-gomemlimit makes of the limit of a container.
func (g controlGroup) words(bytes uint64) ([]string, error) {
	err := os.WriteFile(filepath.Join(g.dir, g.limit), []byte(strconv.FormatUint(bytes, 10)), 0o600)
	join := `echo $$ > ` + filepath.Join(g.dir, "cgroup.procs") + ` && exec "$@"`
	return []string{"sh", "-c", join, "sh", "env", fmt.Sprintf("GOMEMLIMIT=%d", bytes*9/10)}, err
}

// peak is the peak of the memory of a process with the limit, 0 where it is not known.
func (g controlGroup) peak() int64 {
	text, err := os.ReadFile(filepath.Join(g.dir, g.most))
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return n
}

func (g controlGroup) close() { _ = os.Remove(g.dir) } // an empty directory does no harm
