package store

// fingerprints describe the text of one object: a bitmap of the families that have text, then one
// 64-bit hash for each of those, in order. A family without text costs one bit.
//
// The hash has a random key per store; see HashKey. Users choose much of the text. A user who could
// compute the hash could construct a change that the store does not notice.
type fingerprints []uint64

// bitmapWords is the length of the bitmap in words.
func bitmapWords(families int) int { return (families + 63) / 64 }

// appendFingerprints appends the fingerprints of l to the empty p.
func (s *Store) appendFingerprints(p fingerprints, l *Lines) fingerprints {
	for range bitmapWords(len(s.families)) {
		p = append(p, 0)
	}
	for f := range s.families {
		if text := l.family(f); len(text) > 0 {
			p[f/64] |= 1 << (f % 64)
			p = append(p, s.key.Sum(text))
		}
	}
	return p
}

// has reports whether family f has text.
func (p fingerprints) has(f int) bool { return len(p) > 0 && p[f/64]>>(f%64)&1 == 1 }
