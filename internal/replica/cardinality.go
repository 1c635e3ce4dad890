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
	// censusLargest is how many families and namespaces a Census names.
	censusLargest = 20
	// A Census works for censusWork at a time and then rests censusRest times as
	// long, so that it takes a fifth of one CPU.
	sliceDuration = 5 * time.Millisecond
	idleFactor    = 4
)

// CardinalityReport counts what a replica serves.
type CardinalityReport struct {
	At   time.Time     `json:"at"` // when it began
	Took time.Duration `json:"-"`  // mostly pauses
	// All is everything together; without a name.
	All Count `json:"all"`
	// Kinds has all kinds with text, Families and Namespaces only the largest, in
	// this order: by series, then by name. The namespace of what has none is "".
	Kinds      []Count `json:"kinds,omitempty"`
	Families   []Count `json:"families,omitempty"`
	Namespaces []Count `json:"namespaces,omitempty"`
	// FamilyTotal and NamespaceTotal are how many there are.
	FamilyTotal    int `json:"familyTotal"`
	NamespaceTotal int `json:"namespaceTotal"`
}

// Count is what one thing puts on the page.
type Count struct {
	Name   string `json:"name"`
	Series int    `json:"series"`
	Bytes  int64  `json:"bytes"`                 // of text, without headers
	Memory int64  `json:"memoryBytes,omitempty"` // of the blocks; 0 for namespaces, which share blocks
}

// Cardinality counts the lines of all pages that are shown. It reads all text, which
// is inflated for that, at a leisurely pace; scrapes and updates don't wait for
// it. The error is that of ctx.
func (r *Replica) Cardinality(ctx context.Context) (CardinalityReport, error) {
	c := CardinalityReport{At: time.Now()}
	families, namespaces := counts{}, counts{}
	p := throttle{since: c.At}
	r.mu.Lock()
	kinds := slices.DeleteFunc(slices.Clone(r.kinds), func(k *kind) bool { return k.warming })
	r.mu.Unlock()
	for _, k := range kinds {
		of := Count{Name: k.Name}
		for page := range k.store.BlockTexts() {
			n := countPage(page, namespaces)
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

// countPage counts a page, and its lines by namespace.
func countPage(page store.BlockText, namespaces counts) Count {
	n := Count{Name: page.Family, Bytes: int64(len(page.Text)), Memory: page.Memory}
	for line := range bytes.Lines(page.Text) {
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

// counts are by name.
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
	return slices.Clone(all[:min(len(all), censusLargest)]) // the rest is let go
}

func larger(a, b Count) int {
	return cmp.Or(cmp.Compare(b.Series, a.Series), cmp.Compare(a.Name, b.Name))
}

// namespaceOf returns the value of the label namespace in a sample line, nil when
// there is none.
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

// closingQuote is where a label's value ends: at the first quote that no
// backslash escapes.
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

// throttle makes long work leave most of a CPU to others.
type throttle struct{ since time.Time }

// yield returns after a pause when it is time for one, false when ctx has ended.
func (p *throttle) yield(ctx context.Context) bool {
	worked := time.Since(p.since)
	if worked < sliceDuration {
		return true
	}
	ok := watch.Sleep(ctx, idleFactor*worked)
	p.since = time.Now()
	return ok
}
