package replica

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/store"
)

const (
	// maxCounts is how many families and namespaces a report names.
	maxCounts = 20
	// Counting works for sliceDuration and then pauses idleFactor times as long, so that it takes a
	// fifth of one CPU.
	sliceDuration = 5 * time.Millisecond
	idleFactor    = 4
)

// CardinalityReport counts the series that a replica serves.
type CardinalityReport struct {
	At   time.Time     `json:"at"` // when counting began
	Took time.Duration `json:"-"`  // mostly pauses
	// All is the sum of all kinds; it has no name.
	All Count `json:"all"`
	// Kinds has all kinds with text, Families and Namespaces only the largest. All are sorted by
	// series, then by name. Series without a namespace count as the namespace "".
	Kinds      []Count `json:"kinds,omitempty"`
	Families   []Count `json:"families,omitempty"`
	Namespaces []Count `json:"namespaces,omitempty"`
	// FamilyTotal and NamespaceTotal count all families and namespaces.
	FamilyTotal    int `json:"familyTotal"`
	NamespaceTotal int `json:"namespaceTotal"`
}

// Count counts the series of one kind, family or namespace.
type Count struct {
	Name   string `json:"name"`
	Series int    `json:"series"`
	Bytes  int64  `json:"bytes"`                 // of text, without headers
	Memory int64  `json:"memoryBytes,omitempty"` // of the blocks; 0 for namespaces, which share blocks
}

// Cardinality counts the lines of all visible blocks. It decompresses all text with pauses in
// between, and neither scrapes nor updates wait for it. The error is that of ctx.
func (r *Replica) Cardinality(ctx context.Context) (CardinalityReport, error) {
	c := CardinalityReport{At: time.Now()}
	families, namespaces := counts{}, counts{}
	p := throttle{since: c.At}
	r.mu.Lock()
	kinds := slices.DeleteFunc(slices.Clone(r.kinds), func(k *kind) bool { return k.hidden.Load() })
	r.mu.Unlock()
	for _, k := range kinds {
		of := Count{Name: k.Name}
		for block := range k.store.BlockTexts() {
			n := countBlock(block, namespaces)
			families.add(n)
			of.add(n)
			if !p.yield(ctx) {
				return CardinalityReport{}, ctx.Err()
			}
		}
		if of.Series > 0 {
			c.Kinds = append(c.Kinds, of)
			c.All.add(of)
		}
	}
	slices.SortFunc(c.Kinds, larger)
	c.Families, c.FamilyTotal = families.largest(), len(families)
	c.Namespaces, c.NamespaceTotal = namespaces.largest(), len(namespaces)
	c.Took = time.Since(c.At)
	return c, ctx.Err()
}

// countBlock counts the lines of a block, and adds them to the counts of their namespaces.
func countBlock(block store.BlockText, namespaces counts) Count {
	n := Count{Name: block.Family, Bytes: int64(len(block.Text)), Memory: block.Memory}
	for line := range bytes.Lines(block.Text) {
		n.Series++
		name := namespaceOf(line)
		of, ok := namespaces[string(name)] // no copy
		if !ok {
			of = &Count{Name: string(name)}
			namespaces[of.Name] = of
		}
		of.Series++
		of.Bytes += int64(len(line))
	}
	return n
}

// counts maps names to counts.
type counts map[string]*Count

func (c counts) add(n Count) {
	of, ok := c[n.Name]
	if !ok {
		of = &Count{Name: n.Name}
		c[n.Name] = of
	}
	of.add(n)
}

func (c *Count) add(n Count) {
	c.Series += n.Series
	c.Bytes += n.Bytes
	c.Memory += n.Memory
}

func (c counts) largest() []Count {
	all := make([]Count, 0, len(c))
	for of := range maps.Values(c) {
		all = append(all, *of)
	}
	slices.SortFunc(all, larger)
	return slices.Clone(all[:min(len(all), maxCounts)]) // frees the others
}

func larger(a, b Count) int {
	return cmp.Or(cmp.Compare(b.Series, a.Series), cmp.Compare(a.Name, b.Name))
}

// namespaceOf returns the value of the label namespace in a sample line, or nil if the line has no
// such label.
func namespaceOf(line []byte) []byte {
	at := bytes.IndexByte(line, '{')
	for at >= 0 {
		line = line[at+1:]
		equal := bytes.Index(line, []byte(`="`))
		if equal < 0 {
			return nil
		}
		name, rest := line[:equal], line[equal+2:]
		end := closingQuote(rest)
		if end < 0 {
			return nil
		}
		if string(name) == "namespace" {
			return rest[:end]
		}
		if end+1 >= len(rest) || rest[end+1] != ',' {
			return nil
		}
		line, at = rest[end+1:], 0
	}
	return nil
}

// closingQuote returns the end of a label's value: the first quote that no backslash escapes. It
// returns -1 if the value does not end.
func closingQuote(value []byte) int {
	for i := 0; i < len(value); i++ {
		switch value[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}

// throttle interrupts long work with pauses.
type throttle struct{ since time.Time }

// yield pauses if the work has lasted for sliceDuration. It returns false once ctx has ended.
func (p *throttle) yield(ctx context.Context) bool {
	worked := time.Since(p.since)
	if worked < sliceDuration {
		return true
	}
	ok := watch.Sleep(ctx, idleFactor*worked)
	p.since = time.Now()
	return ok
}
