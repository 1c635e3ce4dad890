package resources

// finish ends a family, and removes its lines if they have passed the limit.
func (m *Out) finish(family int) {
	if m.full {
		m.lines.Buf = m.lines.Buf[:m.start]
		m.lines.Omitted = append(m.lines.Omitted, family)
	}
	m.lines.Ends = append(m.lines.Ends, len(m.lines.Buf))
}

// Full reports whether the family has passed the object's limit, see [Lines]. Lines that
// are appended after that are dropped, at little cost. A family whose loops may run far
// longer than the object is large asks, and returns.
func (m *Out) Full() bool { return m.full }

// Fill leaves the family out as if it had passed the limit. It is for a family that asks for
// more work than its text shows.
func (m *Out) Fill() { m.full = true }
