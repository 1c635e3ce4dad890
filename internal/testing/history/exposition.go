package history

import (
	"bytes"
	"fmt"

	"github.com/cespare/xxhash/v2"

	"github.com/statefleet/statefleet/benchmarks/exposition"
)

// LineSetHash identifies a set of lines in any order. A duplicate line changes it.
type LineSetHash uint64

func (p *LineSetHash) add(line []byte) { *p += LineSetHash(xxhash.Sum64(line)) }

// hashLines returns the LineSetHash of a text.
func hashLines(text []byte) (p LineSetHash) {
	for line := range bytes.Lines(text) {
		p.add(line)
	}
	return p
}

// Exposition is a parsed exposition: the lines of each object.
type Exposition map[Key]LineSetHash

// Kinds defines by kind how to find the object of a line: the prefix of the names of its
// families, and the label with the object's name.
type Kinds map[string]struct{ Family, Label string }

// Read parses an exposition in the text format. A line that belongs to no kind is an error.
func (k Kinds) Read(text []byte) (Exposition, error) {
	metrics := Exposition{}
	for line := range bytes.Lines(text) {
		if line[0] == '#' {
			continue
		}
		key, err := k.keyOf(line)
		if err != nil {
			return nil, err
		}
		p := metrics[key]
		p.add(line)
		metrics[key] = p
	}
	return metrics, nil
}

func (k Kinds) keyOf(line []byte) (Key, error) {
	for kind, format := range k {
		if bytes.HasPrefix(line, []byte(format.Family)) {
			return Key{kind, exposition.Label(line, "namespace"), exposition.Label(line, format.Label)}, nil
		}
	}
	return Key{}, fmt.Errorf("line of no known kind: %s", line)
}
