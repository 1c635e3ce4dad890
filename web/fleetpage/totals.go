package fleetpage

// Totals are the sums of all kinds.
type Totals struct {
	Objects, Hidden        int
	TextBytes, PackedBytes int64
}

// Totals adds the kinds up.
func (o Overview) Totals() (t Totals) {
	for _, k := range o.Kinds {
		t.Objects += k.Objects
		t.Hidden += k.Hidden
		t.TextBytes += k.TextBytes
		t.PackedBytes += k.PackedBytes
	}
	return t
}
