package resources

// finish ends a family, and removes its lines if they have passed the limit.
func (w *SampleWriter) endFamily(family int) {
	if w.full {
		w.lines.Buf = w.lines.Buf[:w.start]
		w.lines.Omitted = append(w.lines.Omitted, family)
	}
	w.lines.Ends = append(w.lines.Ends, len(w.lines.Buf))
}

// Full reports whether the family has passed the object's limit, see [Lines]. Lines that
// are appended after that are dropped, at little cost. A family whose loops may run far
// longer than the object is large asks, and returns.
func (w *SampleWriter) Full() bool { return w.full }

// Fill leaves the family out as if it had passed the limit. It is for a family that asks for
// more work than its text shows.
func (w *SampleWriter) Overflow() { w.full = true }
