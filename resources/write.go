package resources

// Write replaces what l holds by the lines of one object of a kind that has no
// Go type here. For each of the families it calls write with the family's index
// and an Out that sets no identity labels.
func Write(l *Lines, families []Family, write func(i int, m *Out)) {
	l.Reset()
	m := Out{lines: l}
	for i, f := range families {
		m.begin(f.Name, false)
		write(i, &m)
		l.Ends = append(l.Ends, len(l.Buf))
	}
}
