package resources

import "bytes"

// Lines is the text of one object: Buf holds the lines of all enabled families one after another,
// and the lines of family i end at Ends[i]. It is reused from object to object; see Reset.
type Lines struct {
	Buf  []byte
	Ends []int
	// Skipped counts samples left out because the object's own data gave no usable value (a series
	// named twice, an entry without its source).
	Skipped int
	// SkippedLabels counts labels left out because the object may not choose their names.
	SkippedLabels int
	// Failed are the families that have no lines because their function panicked.
	Failed []Failure
	// Limit bounds the bytes of Buf; 0 means no bound. A family that would go beyond is left out as
	// a whole, and the families after it that fit are kept.
	Limit int
	// Omitted are the families, by index, that were left out because of Limit.
	Omitted []int
}

// Reset empties l and keeps its memory and its limit.
func (l *Lines) Reset() {
	clear(l.Failed)
	*l = Lines{Buf: l.Buf[:0], Ends: l.Ends[:0], Failed: l.Failed[:0], Omitted: l.Omitted[:0], Limit: l.Limit}
}

// Samples returns how many samples a family has, by index.
func (l *Lines) Samples(family int) int {
	return bytes.Count(l.Buf[l.begin(family):l.Ends[family]], []byte("\n"))
}

// Truncate leaves the first n samples of a family that has more.
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
