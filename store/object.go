package store

// Object identifies one version of an object.
type Object struct {
	ID ID
	// Hash is the shard hash of the object's UID. The store keeps it so that an object can be
	// assigned to a shard without its UID.
	Hash uint64
	// Version is the resourceVersion as a number, or 0 if it is unknown. An unknown version never
	// counts as older than another.
	Version uint64
	// Source identifies the list and watch that delivered the object: one per namespace if
	// namespaces are selected. Retain, Compare and Show work on one source.
	Source uint32
	// Hidden keeps an object hidden, whatever its partition, until Show is called for its source. It has
	// no effect on an object that is stored already.
	Hidden bool
}

// Lines is the text of one object. Buf holds the sample lines of all families one after another,
// and Ends[i] is the end of those of family i. Families past the end of Ends have no lines.
type Lines struct {
	Buf  []byte
	Ends []int
}

// Reset empties l for the next object and keeps the allocated memory.
func (l *Lines) Reset() { l.Buf, l.Ends = l.Buf[:0], l.Ends[:0] }

// family returns the text of family f. Invalid Ends give no text, because Put cannot return an
// error and must not panic.
func (l *Lines) family(f int) []byte {
	if f >= len(l.Ends) {
		return nil
	}
	start, end := 0, l.Ends[f]
	if f > 0 {
		start = l.Ends[f-1]
	}
	if start < 0 || end < start || end > len(l.Buf) {
		return nil
	}
	return l.Buf[start:end]
}

// Family is a metric family of a resource. The formats differ only in the headers, not in the
// sample lines.
type Family struct {
	Name string
	// TextHeader and OpenMetricsHeader are the HELP and TYPE lines in each format. Each line ends
	// in a newline.
	TextHeader, OpenMetricsHeader []byte
}
