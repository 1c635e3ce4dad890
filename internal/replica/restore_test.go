package replica

import (
	"testing"
	"time"
)

func TestListsThatRestoreSamplesAreAMinuteApart(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	var l relistLimiter
	for _, step := range []struct {
		after time.Duration // since the start
		want  bool
	}{
		{0, true}, {time.Second, false}, {restoreInterval - 1, false}, {restoreInterval, true},
		{restoreInterval + time.Second, false}, {2 * restoreInterval, true},
	} {
		if got := l.allow(start.Add(step.after)); got != step.want {
			t.Errorf("allow after %s = %t, want %t", step.after, got, step.want)
		}
	}
}
