package audit

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/statefleet/statefleet/benchmarks/exposition"
)

// objects calls yield with the key of every object of some kinds in an exposition. It reads the keys from the family in
// which every object of a kind has one sample. It stops after these families, because the rest is many times as long.
func objects(body io.Reader, kinds []string, yield func(key string)) error {
	lines := bufio.NewReaderSize(body, 64<<10)
	seen := map[string]bool{}
	for {
		line, err := lines.ReadSlice('\n')
		switch {
		case errors.Is(err, io.EOF), err == nil && line[0] == '#' && len(seen) == len(kinds):
			return nil
		case err != nil:
			return err
		case bytes.HasPrefix(line, []byte("kube_job_info{")):
			seen[Jobs] = true
			yield("job " + exposition.Label(line, "namespace") + " " + exposition.Label(line, "job_name"))
		case bytes.HasPrefix(line, []byte("kube_pod_info{")):
			seen[Pods] = true
			yield("pod " + exposition.Label(line, "uid"))
		}
	}
}
