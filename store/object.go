package store

import "hash/maphash"

// Object names one version of an object.
type Object struct {
	ID ID
	// Hash is the shard hash of the object's UID. It is kept so that a change
	// of shard can be decided without the UID.
	Hash uint64
	// Version is the resourceVersion as a number; 0 means unknown, and an
	// unknown version is never older than another.
	Version uint64
	// Source says which list and watch delivered the object: one per
	// namespace when namespaces are selected. Retain works per source.
	Source uint32
}

// Lines is the text of one object: Buf holds the sample lines of all families
// one after another, Ends[i] is where those of family i end. Families past the
// end of Ends have no lines.
type Lines struct {
	Buf  []byte
	Ends []int
}

// Reset empties l for the next object and keeps its memory.
func (l *Lines) Reset() { l.Buf, l.Ends = l.Buf[:0], l.Ends[:0] }

// family is the text of family f. Ends that contradict Buf give no text: Put
// cannot fail and must not crash either.
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

// Family is one metric family of a resource. Sample lines are the same in all
// formats; only headers differ.
type Family struct {
	Name string
	// TextHeader and OpenMetricsHeader are the HELP and TYPE lines in the two
	// formats, each ended by a newline.
	TextHeader, OpenMetricsHeader []byte
}

// prints are the fingerprints of one object's text: one bit per family that
// says whether it has any, then one 64-bit hash for each that has, in order. A
// family without text costs one bit.
//
// The hash has a random key, that of the store. Users choose much of the text, and
// whoever could compute its hash could change an object without any change on the page.
type fingerprints []uint64

// bitmapWords is how many words of prints hold the bits.
func bitmapWords(families int) int { return (families + 63) / 64 }

// appendPrints appends the fingerprints of l to the empty p.
func (s *Store) appendFingerprints(p fingerprints, l *Lines) fingerprints {
	for range bitmapWords(len(s.families)) {
		p = append(p, 0)
	}
	for f := range s.families {
		if text := l.family(f); len(text) > 0 {
			p[f/64] |= 1 << (f % 64)
			p = append(p, maphash.Bytes(s.seed, text))
		}
	}
	return p
}

// has says whether family f has text.
func (p fingerprints) has(f int) bool { return len(p) > 0 && p[f/64]>>(f%64)&1 == 1 }
