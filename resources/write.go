package resources

// Write replaces what l holds by the lines of one object of a kind that has no
// Go type here. For each of the families it calls write with the family's index
// and an Out that sets no identity labels. A write that panics costs its family, and so
// does one that goes beyond l.Limit.
func WriteFamilies(l *Lines, families []Family, write func(i int, w *SampleWriter)) {
	l.Reset()
	m := SampleWriter{lines: l}
	contained := func(i int) {
		defer m.recoverFamily(i)
		write(i, &m)
	}
	for i, f := range families {
		m.beginFamily(f.Name, false)
		contained(i)
		m.endFamily(i)
	}
}
