package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// review is an entry of the list: a reviewed mutant. It identifies the line by its text, because line numbers change.
type review struct {
	file, mutation string
	nth            int // Nth of the mutant; 0: all mutants of this type in the line
	hangs          bool
	text           string
	line           int // line number in the list
	used           bool
}

// head matches the first line of an entry: the file, the type of the mutation, and the verdict.
var head = regexp.MustCompile(`^(\S+\.go) ([A-Z_]+)(?:/([1-9]))? (equivalent|hangs)$`)

// parseReviewed reads the list of reviewed mutants. An entry is a head, the text of the source
// line, and the reason; an empty line ends it. Lines that begin with # are comments.
func parseReviewed(list string) ([]*review, error) {
	var out []*review
	var entry []string
	for i, line := range strings.Split(list+"\n", "\n") {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "#") {
			continue
		}
		if line != "" {
			entry = append(entry, line)
			continue
		}
		if len(entry) == 0 {
			continue
		}
		parts := head.FindStringSubmatch(entry[0])
		if parts == nil || len(entry) < 3 {
			return nil, fmt.Errorf("the entry that ends at line %d must be \"FILE TYPE equivalent\" or \"FILE TYPE hangs\", the source line, and a reason; it begins with %q", i, entry[0])
		}
		nth, _ := strconv.Atoi(parts[3])
		out = append(out, &review{file: parts[1], mutation: parts[2], nth: nth, hangs: parts[4] == "hangs", text: entry[1], line: i - len(entry) + 1})
		entry = nil
	}
	return out, nil
}

func (r *review) matches(m mutant) bool {
	return r.file == m.File && r.mutation == m.Type && r.text == m.Text && (r.nth == 0 || r.nth == m.Nth)
}
