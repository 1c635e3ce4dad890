package resources

import "bytes"

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

// Samples returns the number of samples of the family with this index.
func (l *Lines) Samples(family int) int {
	return bytes.Count(l.Buf[l.begin(family):l.Ends[family]], []byte("\n"))
}

// Truncate keeps the first n samples of a family, which must have at least as many.
func (l *Lines) Truncate(family, n int) {
	end := l.begin(family)
	for range n {
		end += bytes.IndexByte(l.Buf[end:], '\n') + 1
	}
	cut := l.Ends[family] - end
	l.Buf = append(l.Buf[:end], l.Buf[l.Ends[family]:]...)
	for i := range l.Ends[family:] {
		l.Ends[family+i] -= cut
	}
}

// begin returns where the lines of a family begin.
func (l *Lines) begin(family int) int {
	if family == 0 {
		return 0
	}
	return l.Ends[family-1]
}
