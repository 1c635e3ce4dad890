package audit

import (
	"bufio"
	"bytes"
	"io"
)

// families are those in which every object of a kind stands once, with how a line of it names the object.
func families() []family {
	return []family{
		{start: []byte("kube_job_info{"), kind: "job", labels: [][]byte{[]byte(`namespace="`), []byte(`job_name="`)}},
		{start: []byte("kube_pod_info{"), kind: "pod", labels: [][]byte{[]byte(`uid="`)}},
	}
}

type family struct {
	start  []byte
	kind   string
	labels [][]byte
	found  bool
}

// objects calls yield with the key of every object of a page. It reads no further than it must: what follows on the page is
// many times as long.
func objects(page io.Reader, yield func(key string)) error {
	lines, wanted := bufio.NewReaderSize(page, 64<<10), families()
	for left := len(wanted); ; {
		line, err := lines.ReadSlice('\n')
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if line[0] == '#' {
			if left == 0 {
				return nil
			}
			continue
		}
		for i := range wanted {
			if f := &wanted[i]; bytes.HasPrefix(line, f.start) {
				if !f.found {
					f.found = true
					left--
				}
				yield(f.key(line))
			}
		}
	}
}

// key names an object on all pages and in the cluster alike.
func (f family) key(line []byte) string {
	key := f.kind
	for _, label := range f.labels {
		_, rest, _ := bytes.Cut(line, label)
		value, _, _ := bytes.Cut(rest, []byte(`"`))
		key += " " + string(value)
	}
	return key
}
