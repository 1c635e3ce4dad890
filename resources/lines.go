package resources

import (
	"bytes"
	"fmt"
	"runtime/debug"
	"slices"
)

// Lines is the text of one object: Buf holds the lines of all enabled families one after another,
// and the lines of family i end at Ends[i]. It is reused from object to object; see Reset.
type Lines struct {
	Buf  []byte
	Ends []int
	// Skipped counts the samples that were left out because the object has no usable value for them, such as a repeated
	// series or an entry without its source.
	Skipped int
	// SkippedLabels counts the labels that were left out because the object may not choose their names.
	SkippedLabels int
	// Failed are the families that have no lines because their function panicked.
	Failed []Failure
	// Limit is the largest size of Buf in bytes; 0 means no limit. A family that would exceed it is left out as a
	// whole. Later families that fit are kept.
	Limit int
	// Omitted are the families, by index, that were left out because of Limit.
	Omitted []int
}

// Reset empties l and keeps its memory and its limit.
func (l *Lines) Reset() {
	clear(l.Failed)
	*l = Lines{Buf: l.Buf[:0], Ends: l.Ends[:0], Failed: l.Failed[:0], Omitted: l.Omitted[:0], Limit: l.Limit}
}

// Family returns the lines of the family with this index.
func (l *Lines) Family(i int) []byte {
	from := 0
	if i > 0 {
		from = l.Ends[i-1]
	}
	return l.Buf[from:l.Ends[i]]
}

// Samples returns the number of samples of the family with this index.
func (l *Lines) Samples(family int) int { return bytes.Count(l.Family(family), []byte("\n")) }

// Truncate keeps the first n samples of a family, which must have at least as many.
func (l *Lines) Truncate(family, n int) {
	cut := l.Family(family)
	for range n {
		cut = cut[bytes.IndexByte(cut, '\n')+1:]
	}
	end := l.Ends[family]
	l.Buf = slices.Delete(l.Buf, end-len(cut), end)
	for i := range l.Ends[family:] {
		l.Ends[family+i] -= len(cut)
	}
}

// Panic is an error with the value and the stack of a panic.
type Panic struct {
	Value any
	stack []byte
}

// NewPanic returns the Panic of a value that recover returned. The deferred function that calls recover must call it.
func NewPanic(value any) *Panic { return &Panic{value, debug.Stack()} }

// Error implements error.
func (p *Panic) Error() string { return fmt.Sprintf("panic: %v", p.Value) }

// Stack returns the stack trace of the panic, as the runtime prints it.
func (p *Panic) Stack() string { return string(p.stack) }

// Failure is a family without lines, because its write function panicked.
type Failure struct {
	Family int // its index
	*Panic
}
