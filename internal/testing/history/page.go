package history

import (
	"bytes"
	"fmt"

	"github.com/cespare/xxhash/v2"
)

// LineSetHash stands for a set of lines, in any order. A line that is there twice makes
// another one.
type LineSetHash uint64

func (p *LineSetHash) add(line []byte) { *p += LineSetHash(xxhash.Sum64(line)) }

// hashLines is the print of a text.
func hashLines(text []byte) (p LineSetHash) {
	for line := range bytes.Lines(text) {
		p.add(line)
	}
	return p
}

// Page is what a page shows of each object.
type Page map[Key]LineSetHash

// Kinds says how to tell whose a line is: the beginnings of the names of its
// families, and the label that holds the name, by kind.
type Kinds map[string]struct{ Family, Label string }

// Read reads a page in the text format. A line that belongs to no object is an error.
func (k Kinds) Read(text []byte) (Page, error) {
	page := Page{}
	for line := range bytes.Lines(text) {
		if line[0] == '#' {
			continue
		}
		key, err := k.keyOf(line)
		if err != nil {
			return nil, err
		}
		p := page[key]
		p.add(line)
		page[key] = p
	}
	return page, nil
}

func (k Kinds) keyOf(line []byte) (Key, error) {
	for kind, is := range k {
		if bytes.HasPrefix(line, []byte(is.Family)) {
			return Key{kind, label(line, "namespace"), label(line, is.Label)}, nil
		}
	}
	return Key{}, fmt.Errorf("a line of no kind: %s", line)
}

// label returns the value of a label, which has nothing to be escaped in it.
func label(line []byte, name string) string {
	for _, before := range []string{"{", ","} {
		if _, after, found := bytes.Cut(line, []byte(before+name+`="`)); found {
			value, _, _ := bytes.Cut(after, []byte(`"`))
			return string(value)
		}
	}
	return ""
}
