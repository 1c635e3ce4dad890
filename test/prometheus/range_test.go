package prometheus

import (
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
)

func TestRangeHasAValueForEveryStep(t *testing.T) {
	s := Start(t, Options{Interval: time.Second, Log: slog.New(slog.DiscardHandler)})
	base := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	in := s.db.Appender(t.Context())
	if _, err := in.Append(0, labels.FromStrings("__name__", "m", "pod", "a"), base.Add(200*time.Millisecond).UnixMilli(), 7); err != nil {
		t.Fatal(err)
	}
	if err := in.Commit(); err != nil {
		t.Fatal(err)
	}
	// Prometheus ignores fractions of a millisecond, so there are four steps and not three.
	got, err := s.Range(t.Context(), "m", base.Add(999*time.Microsecond), base.Add(300*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	if numbers := got[`{__name__="m", pod="a"}`]; len(got) != 1 || !slices.Equal(numbers, []float64{0, 0, 7, 7}) {
		t.Errorf("got %v, want one series with 0, 0, 7, 7", got)
	}
	if got, err := s.Range(t.Context(), "absent", base, base); err != nil || len(got) != 0 {
		t.Errorf("absent metric: got %v, error %v; want neither", got, err)
	}
}
