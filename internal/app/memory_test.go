package app

import (
	"runtime/debug"
	"testing"
)

func TestNoGarbageIsCollectedDuringALoad(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(77))
	if !withoutGC(func() bool { return debug.SetGCPercent(-1) == -1 }) {
		t.Error("garbage collection is on during a load")
	}
	if got := debug.SetGCPercent(77); got != 77 {
		t.Errorf("after a load: got the percentage %d, want 77", got)
	}
}
