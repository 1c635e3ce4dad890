package statuspage

import "time"

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

// Watches is when the API server last sent something: of the kind with the latest event, and of the one with the oldest. The
// times are zero as long as nothing is followed.
type Watches struct {
	Latest, Oldest time.Time
	Quietest       string
}

// Watches looks at the kinds that are followed.
func (o Overview) Watches() (w Watches) {
	for _, k := range o.Kinds {
		if k.Phase != Synced || k.Heard.IsZero() {
			continue
		}
		if k.Heard.After(w.Latest) {
			w.Latest = k.Heard
		}
		if w.Oldest.IsZero() || k.Heard.Before(w.Oldest) {
			w.Oldest, w.Quietest = k.Heard, k.Name
		}
	}
	return w
}
